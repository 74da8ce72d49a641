"""What is done to networks and images: attacks, planted backdoors, microstimulation."""

from wna_utils.interventions.backdoors import Backdoor

__all__ = ["Backdoor"]
