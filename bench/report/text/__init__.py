"""Tables, mail blocks and Markdown."""
