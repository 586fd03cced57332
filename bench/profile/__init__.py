"""Where every instruction of a window goes: by context, call path, function and subsystem."""
