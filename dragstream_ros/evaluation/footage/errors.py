"""What can go wrong with an evaluation; the texts are one sentence: what is wrong, what to do."""


class EvaluationError(Exception):
    """The evaluation cannot go on."""


class FootageError(EvaluationError):
    """Some footage cannot be judged; the evaluation goes on with what is left."""
