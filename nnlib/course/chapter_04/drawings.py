"""Chapter 4's still figures: the notebook draws them with nnlib.plotting alone."""
