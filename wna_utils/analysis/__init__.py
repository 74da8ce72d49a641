"""What is read off tallies: templates and how they classify, significance, likeness, convergence, and estimates."""

from wna_utils.analysis.activations import (
    INPUT,
    ActivationTally,
    activations_by_class,
    at_the_edge,
    called_when_mixed,
    turned,
)
from wna_utils.analysis.courses import Course, course
from wna_utils.analysis.estimates import (
    Estimate,
    area_under_curve,
    difference_of_means,
    difference_of_proportions,
    jackknife_of_groups,
    mean_over,
    mean_over_pairs,
    proportion,
)
from wna_utils.analysis.gradients import images_for_cosine, mean_gradients
from wna_utils.analysis.psychometrics import fit_psychometric, s_shaped
from wna_utils.analysis.significance import clusters, significant
from wna_utils.analysis.similarity import (
    agreement,
    correlations,
    distances,
    distinctive,
    most_like_own,
    orientedness,
    resemblance,
    true_correlations,
)
from wna_utils.analysis.templates import (
    MATCHING_RULES,
    classification_image,
    confusion,
    match_templates,
    pair_accuracy,
    pool,
    read_back,
    strength_and_error,
    stretch,
    template_accuracy,
)

__all__ = [
    "INPUT",
    "MATCHING_RULES",
    "ActivationTally",
    "Course",
    "Estimate",
    "activations_by_class",
    "agreement",
    "area_under_curve",
    "at_the_edge",
    "called_when_mixed",
    "classification_image",
    "clusters",
    "confusion",
    "correlations",
    "course",
    "difference_of_means",
    "difference_of_proportions",
    "distances",
    "distinctive",
    "fit_psychometric",
    "images_for_cosine",
    "jackknife_of_groups",
    "match_templates",
    "mean_gradients",
    "mean_over",
    "mean_over_pairs",
    "most_like_own",
    "orientedness",
    "pair_accuracy",
    "pool",
    "proportion",
    "read_back",
    "resemblance",
    "s_shaped",
    "significant",
    "strength_and_error",
    "stretch",
    "template_accuracy",
    "true_correlations",
    "turned",
]
