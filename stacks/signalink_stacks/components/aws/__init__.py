"""The AWS side as components: each makes a few resources from frozen arguments, and gives what the next one needs.

`stack` puts them together for the layers. Every resource carries the tags it is given and the provider of its parent;
policies come from `lib.grants`, addresses from `lib.cidrs`, doors from `lib.doors`. No component takes a secret.
"""
