"""What happens beside the training steps: rollouts, metrics, samples, throughput, the report.

Each callback has a short public name, as in `callbacks.RolloutEvaluation`. Configs name that alone, so that files can move.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "captioning_metrics": ["CaptioningMetrics"],
        "rollout_evaluation": ["RolloutEvaluation"],
        "run_report": ["RunReport"],
        "text_loss": ["TextLoss"],
        "text_samples": ["TextSamples"],
        "throughput": ["Throughput"],
    },
)
