"""Helpers for reproducing "White Noise Analysis of Neural Networks" (Borji & Lin, ICLR 2020).

The vocabulary is that of psychophysics: a *stimulus* is shown to an *observer* (any classifier),
which gives a *response*; a *tally* keeps the sums of stimuli by response; *templates* are read off it.

Each room imports only from those before it:

    support → data → networks → stimuli → observe → analysis → interventions → report
"""
