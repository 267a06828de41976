"""Settings that contradict each other."""


def test_what_needs_validation_contradicts_refitting(refusal):
    assert refusal(refit=True, early_stopping=3).startswith("--early-stopping")
    for settings in ({"refit": True}, {"early_stopping": 3}):
        text = refusal(learning_rate="auto", **settings)
        assert "--learning-rate auto" in text
