"""What rows say together: break-even, projections, scaling."""
