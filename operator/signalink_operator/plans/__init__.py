"""Pure decisions: desired and observed in, actions out. No input or output, no clock, no client library."""
