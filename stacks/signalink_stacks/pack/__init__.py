"""The policy pack: gives the rules of `lib.policy` to Pulumi's engine. Owns how an engine's resource becomes a `Thing`."""
