"""Model, sampler and validation of a run, and their training."""

import keras

from keras_isample.callbacks.averaged_weights import AveragedWeights
from keras_isample.callbacks.dice_estimate import DiceEstimate
from keras_isample.callbacks.divergence_check import DivergenceCheck
from keras_isample.callbacks.error_map_update import ErrorMapUpdate
from keras_isample.callbacks.loss_schedule import LossSchedule
from keras_isample.callbacks.normalization_update import NormalizationUpdate
from keras_isample.callbacks.order import ordered
from keras_isample.callbacks.planned_validation import PlannedValidation
from keras_isample.callbacks.progress import ProgressReport
from keras_isample.callbacks.scalar_log import ScalarLog
from keras_isample.config import Config
from keras_isample.config.conflicts import refuse_conflicts
from keras_isample.data.preprocessing import Preprocessing
from keras_isample.inference.predictor import share_among
from keras_isample.losses.scheduled import ScheduledLoss
from keras_isample.metrics.mean_loss import MeanLoss
from keras_isample.models.keras_settings import set_keras
from keras_isample.models.loading import load_model
from keras_isample.models.normalization import synchronize
from keras_isample.progress import SILENT
from keras_isample.sampling.isample import ISample
from keras_isample.training.candidates import choose_candidate
from keras_isample.training.devices import devices_of
from keras_isample.training.error_map_plan import ErrorMapPlan
from keras_isample.training.error_map_ways import error_maps_callback
from keras_isample.training.memory import check_step
from keras_isample.training.networks import check_memory
from keras_isample.training.networks import make_geometry
from keras_isample.training.networks import make_network
from keras_isample.training.networks import take_weights
from keras_isample.training.optimizers import make_optimizer
from keras_isample.training.recorder import Recorder
from keras_isample.training.run_data import PreparedData
from keras_isample.training.run_folder import RunFolder
from keras_isample.training.run_loss import class_weights_of
from keras_isample.training.run_loss import make_run_loss
from keras_isample.training.state import load_progress
from keras_isample.training.state import restore_state
from keras_isample.training.state import save_state
from keras_isample.training.traced_gradients import forgotten_afterwards


class Trainer:
    """What is built once and trained in one folder, or in several in turn.

    Weights, optimizer, random generators and error maps are a function of the
    seed after construction and of the folder's state after `restore`, so that
    it does not matter what was trained in between.

    Args:
        config: All settings.
        data: The run's `PreparedData`.
        strategy: The `tf.distribute.Strategy` to build under, if there is one.
        reporter: The `Reporter` that shows steps, error maps and validation.

    Attributes:
        model: The compiled model; its optimizer is built.
        sampler: The `ISample`.
        loss: The loss.
    """

    def __init__(
        self,
        config: Config,
        data: PreparedData,
        strategy=None,
        reporter=SILENT,
    ):
        self.config = config
        self.data = data
        self.data.validation.reporter = reporter
        self._reporter = reporter
        keras.utils.set_random_seed(config.data.seed)
        refuse_conflicts(config, sees_slices=data.axis is not None)
        self.loss = None
        if strategy is None:
            self._build()
        else:
            several = strategy.num_replicas_in_sync > 1
            with strategy.scope():
                self._build(synchronized=several)
        self._average = _average(config)
        self._statistics = _statistics(config, self.sampler, reporter)
        share_among(self.model, devices_of(strategy))
        check_memory(config, self.model, [*data.cases, *data.validation.cases])
        check_step(
            self.model,
            self.sampler.geometry,
            config.sampling.batch_size,
            len(data.train.channel_names),
            strategy,
        )

    def take_first_weights(self) -> str | None:
        """Takes the weights of `init_from`, if there is one.

        Returns:
            A line for the user, or `None`.

        Raises:
            InputError: If it is no model, or one of another network.
        """
        source = self.config.network.init_from
        if not source:
            return None
        trained = load_model(source, compile=False)
        return take_weights(self.model, trained, source)

    def save_start(self, folder: RunFolder) -> None:
        """Writes the state before the first epoch to a folder."""
        self.take_first_weights()
        folder.state_file.parent.mkdir(parents=True, exist_ok=True)
        save_state(
            folder.state_file,
            self.model,
            self.sampler,
            {"epochs": 0, "rows": []},
        )

    def follow(self, plan: ErrorMapPlan) -> None:
        """Has error maps refreshed as a plan says, by blocks or whole."""
        if plan.way != "blocks":
            return
        self.sampler.draw_from("all")
        self._maps = ErrorMapUpdate(
            self.sampler,
            budget=plan.budget,
            tile_memory=self.config.training.tile_bytes,
            remove_replaced=False,
            reporter=self._reporter,
        )

    def restore(self, folder: RunFolder) -> list[dict]:
        """Goes to the state of a folder, if it has one.

        Returns:
            Its history, one dictionary an epoch.

        Raises:
            InputError: If the state is of another network.
        """
        self.sampler.error_maps.folder = folder.error_map_folder
        self._maps.open(folder.concurrent_folder)
        if not folder.state_file.exists():
            return []
        restore_state(folder.state_file, self.model, self.sampler)
        return load_progress(folder.state_file)["rows"]

    def train(
        self,
        folder: RunFolder,
        rows: list[dict],
        warmup: keras.callbacks.Callback,
        epochs: int,
        callbacks=(),
        *,
        best_from=None,
        log_folder=None,
        validate_last=False,
        plan=None,
    ) -> Recorder:
        """Trains until a number of epochs has been done.

        Args:
            folder: Where state, history and best model are written.
            rows: The history before, as `restore` returned it.
            warmup: The `LearningRateWarmup`.
            epochs: Epochs in all, those before included.
            callbacks: More Keras callbacks.
            best_from: See `Recorder`.
            log_folder: Where TensorBoard's files are written; the folder's
                `logs` if `None`.
            validate_last: Whether the last epoch is validated in any case.
            plan: The `ValidationPlan`; as the settings say if `None`.

        Returns:
            The `Recorder`, which has the whole history.

        Raises:
            Diverged: If the loss or a weight is no finite number.
        """
        config, sampler = self.config, self.sampler
        sampler.error_maps.remove_unused()
        recorder = Recorder(
            folder,
            sampler,
            self.data.train.class_names[1:],
            config.sampling.batch_size,
            rows,
            best_from=best_from,
            patience=config.training.early_stopping,
            average=self._average,
            plan=plan,
        )
        if len(rows) >= epochs or recorder.has_had_enough:
            return recorder
        self.data.validation.also = epochs if validate_last else None
        validation = self._validation(plan)
        try:
            with forgotten_afterwards():
                self.model.fit(
                    sampler.dataset(config.training.steps_per_epoch),
                    epochs=epochs,
                    initial_epoch=len(rows),
                    verbose=0,
                    shuffle=False,
                    callbacks=ordered(
                        self._average,
                        self._statistics,
                        DivergenceCheck(),
                        self._loss_schedule(),
                        warmup,
                        self._maps,
                        validation,
                        *callbacks,
                        ProgressReport(self._reporter),
                        ScalarLog(log_folder or folder.log_folder),
                        recorder,
                    ),
                )
        finally:
            self._maps.close()
        return recorder

    def choose_candidate(
        self, folder: RunFolder, recorder: Recorder, say
    ) -> None:
        """Makes the best of the best estimates the model of a run.

        Args:
            folder: The run's folder.
            recorder: What `train` returned, after the last epoch.
            say: Called with each line meant for the user.
        """
        choose_candidate(
            folder,
            recorder.rows,
            recorder.num_candidates,
            self.model,
            self.data.validation,
            self.data.train.class_names[1:],
            say,
        )

    def _validation(self, plan):
        """The callback that validates."""
        validation = self.data.validation
        if plan is None or plan.every is not None:
            validation.every = plan.every if plan else validation.every
            return validation
        estimate = None
        if plan.is_estimated:
            estimate = DiceEstimate(
                validation.cases,
                self.data.train.num_classes,
                self.config.data.seed,
                plan.block,
                validation.tile_memory,
            )
        return PlannedValidation(plan, validation, estimate)

    def _loss_schedule(self):
        if not isinstance(self.loss, ScheduledLoss):
            return []
        return [LossSchedule(self.loss)]

    def _build(self, *, synchronized=False):
        """Builds the model, its sampler and error maps, and compiles it."""
        config, train = self.config, self.data.train
        settings = config.optimizer
        # It may reset the policy, which would undo the one chosen below.
        set_keras()
        policy = keras.config.dtype_policy()
        if config.training.mixed_precision != "none":
            keras.config.set_dtype_policy(
                f"mixed_{config.training.mixed_precision}"
            )
        try:
            self.model = make_network(
                config,
                train.num_classes,
                len(train.channel_names),
                self.data.axis,
            )
            if synchronized:
                synchronize(self.model)
            self.sampler = _sampler(config, self.data, self.model)
            self._maps = error_maps_callback(
                config, self.sampler, self._reporter
            )
            facts = Preprocessing.of(train, self.data.cases).as_metadata()
            self.model.metadata["preprocessing"] = facts
            self.loss = make_run_loss(
                config,
                class_weights_of(config, self.data.cases),
                self.sampler.merged_classes,
            )
            self.model.compile(
                optimizer=make_optimizer(
                    settings.optimizer,
                    1.0 if settings.is_auto else settings.learning_rate,
                    settings.weight_decay,
                    settings.ema_momentum,
                ),
                loss=self.loss,
                metrics=_metrics(self.loss, self._maps),
            )
        finally:
            keras.config.set_dtype_policy(policy)
        self.model.optimizer.build(self.model.trainable_variables)


def _sampler(config, data, model):
    settings = config.sampling
    return ISample(
        data.cases,
        geometry=make_geometry(config, model, data.cases),
        batch_size=settings.batch_size,
        epsilon=settings.epsilon,
        sampling=settings.sampling,
        cases_per_batch=settings.num_cases_per_batch,
        sample_from="all" if settings.sample_from == "all" else "refreshed",
        redraw=settings.redraw,
        augment=settings.augment,
        augmentation=settings.augmentation,
        spacing_jitter=settings.spacing_jitter,
        seed=config.data.seed,
    )


def _average(config):
    """The callback of averaged weights, if they are averaged."""
    return AveragedWeights() if config.optimizer.ema_momentum else None


def _statistics(config, sampler, reporter):
    """The callback of what is measured for prediction, if there is one."""
    batches = config.training.normalization_batches
    if not batches:
        return []
    return [NormalizationUpdate(sampler, batches=batches, reporter=reporter)]


def _metrics(loss, maps):
    """What the model is compiled with."""
    return [MeanLoss(loss), *([] if maps.metric is None else [maps.metric])]
