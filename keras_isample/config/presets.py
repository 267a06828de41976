"""The papers' settings, whole."""

_KIDNEYS_2017 = {
    "labels": ("kidney",),
    "learning_rate": 0.001,
    "batch_size": 12,
    "cases_per_batch": 1,
    "steps_per_epoch": 100,
    "warmup_epochs": 5,
    "epsilon": 0.01,
    "split": (16, 4, 0),
    "error_maps": "concurrent",
    "validation_share": "none",
}
_WHOLE_MAPS = {
    "error_maps": "epoch",
    "error_map_cases": 2,
    "error_map_share": "none",
}
PRESETS = {
    "kidneys-2017": _KIDNEYS_2017,
    "kidneys-2018": {**_KIDNEYS_2017, "batch_size": 20, **_WHOLE_MAPS},
    "organs-2017": {
        "learning_rate": 0.05,
        "batch_size": 24,
        "cases_per_batch": 2,
        "steps_per_epoch": 200,
        "lr_schedule": ("step", 25, 0.5),
        "split": (16, 4, 0),
        "error_maps": "concurrent",
        "validation_share": "none",
    },
    "autolr-2018": {
        "learning_rate": "auto",
        "batch_size": 40,
        "cases_per_batch": "all",
        "steps_per_epoch": 100,
        "warmup_epochs": 10,
        "split": (14, 2, 4),
        "epsilon": 0.0,
        "validation_share": "none",
        **_WHOLE_MAPS,
    },
}
"""The papers' settings, without any bound on what whole scans take. Error maps
are made beside the training, or of two scans after every epoch: the papers name
both ways, and a subset. What they do not tell, such as how the statistics of
batch normalization are made, is as by default. Their hand schedules A and B,
which `autolr-2018` was compared with: `--learning-rate 0.05` and `0.025`,
`--lr-schedule step:400:0.1`.
"""
