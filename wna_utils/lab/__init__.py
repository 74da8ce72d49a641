"""The noise lab: what the page in the browser loads, made from the recorded networks (`book/_static/noise_lab/`)."""
