from .diagnosis_metric import DiagnosisMetric
from .infection_metric import InfectionMetric

__all__ = ['DiagnosisMetric', 'InfectionMetric']
