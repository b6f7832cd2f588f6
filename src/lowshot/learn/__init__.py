"""From a background set to an encoder file. The only room that imports torch."""
