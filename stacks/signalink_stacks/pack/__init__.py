"""The policy pack gives the rules of `lib.policy` to the engine. Owns how an engine's resource becomes a `Thing`."""
