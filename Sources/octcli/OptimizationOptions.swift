import ArgumentParser
import OctNet

enum OptimizerName: String, ExpressibleByArgument, CaseIterable {
  case sgd, adam, adamw

  /// With its usual constants.
  var rule: OptimizerConfiguration {
    switch self {
    case .sgd: return .sgd
    case .adam: return .adam
    case .adamw: return .adamW
    }
  }
}

enum ScheduleName: String, ExpressibleByArgument, CaseIterable {
  case constant, step, cosine
}

/// How the network learns. Everything is optional: what is not given comes from the recipe or its absence.
struct OptimizationOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("Passes over the training images (default: \(QuickStart.epochs)).", valueName: "n"))
  var epochs: Int?

  @Option(help: ArgumentHelp("Images a step (default: \(QuickStart.batchSize)).", valueName: "n"))
  var batchSize: Int?

  @Option(help: "Update rule (default: sgd).")
  var optimizer: OptimizerName?

  @Option(
    help: ArgumentHelp(
      "Base learning rate (default: \(QuickStart.learningRate) with sgd, 0.001 with adam and adamw).",
      valueName: "rate"))
  var learningRate: Double?

  @Option(help: ArgumentHelp("Momentum of sgd (default: 0.9).", valueName: "m"))
  var momentum: Float?

  @Flag(help: "Nesterov's form of momentum, for sgd.")
  var nesterov = false

  @Option(
    help: ArgumentHelp(
      "Course of the learning rate (default: cosine).",
      discussion: "constant; step: times --step-factor every --step-epochs; cosine: to 0 at the end."))
  var schedule: ScheduleName?

  @Option(help: ArgumentHelp("Epochs between two steps of the step schedule (default: 30).", valueName: "n"))
  var stepEpochs: Int?

  @Option(help: ArgumentHelp("Factor at each step of the step schedule (default: 0.1).", valueName: "factor"))
  var stepFactor: Double?

  @Option(
    help: ArgumentHelp("Epochs in which the learning rate rises to its base (default: 0).", valueName: "n"))
  var warmupEpochs: Int?

  @Option(
    help: ArgumentHelp(
      "Weight decay: in the gradient for sgd and adam, direct for adamw (default: 0.0005).",
      valueName: "decay"))
  var weightDecay: Float?

  @Flag(help: "No weight decay for norms and biases.")
  var excludeNormsAndBiases = false

  @Option(
    help: ArgumentHelp(
      "Share of the target spread over all classes, 0 to 1 (default: 0).", valueName: "share"))
  var labelSmoothing: Float?

  @Option(help: ArgumentHelp("Largest norm of all gradients together (default: none).", valueName: "norm"))
  var clipGradients: Double?

  @Option(
    help: ArgumentHelp(
      "Batches whose gradients make one update together (default: 1).",
      discussion:
        "An effective batch of N times --batch-size in the memory of one; batch norm sees one at a time.",
      valueName: "n"))
  var accumulate: Int?

  @Option(
    help: ArgumentHelp(
      "Evaluate and keep a moving average of the weights with this decay, such as 0.999 (default: none).",
      valueName: "decay"))
  var ema: Double?

  @Option(
    help: ArgumentHelp(
      "Mix pairs of training images, shares drawn from Beta(α, α), such as 0.2 (default: none).",
      discussion: """
        The training accuracy is then that of mixed images: how often the likeliest class is the one with the larger share.
        """, valueName: "α"))
  var mixup: Double?

  /// Whether anything but `--epochs` was given.
  var changesMoreThanEpochs: Bool {
    batchSize != nil || optimizer != nil || learningRate != nil || momentum != nil || nesterov
      || schedule != nil || stepEpochs != nil || stepFactor != nil || warmupEpochs != nil
      || weightDecay != nil
      || excludeNormsAndBiases || labelSmoothing != nil || clipGradients != nil || accumulate != nil
      || ema != nil
      || mixup != nil
  }

  func validate() throws {
    if momentum != nil || nesterov, let optimizer, optimizer != .sgd {
      throw ValidationError(
        "--momentum and --nesterov belong to --optimizer sgd, found \(optimizer.rawValue)")
    }
    if stepEpochs != nil || stepFactor != nil, schedule != .step {
      throw ValidationError("--step-epochs and --step-factor belong to --schedule step")
    }
  }

  /// Writes what was given over `configuration`.
  func apply(to configuration: inout TrainingConfiguration) {
    if let epochs { configuration.epochs = epochs }
    if let batchSize { configuration.batchSize = batchSize }
    if let optimizer { configuration.use(optimizer) }
    if case .sgd(let ownMomentum, let ownNesterov) = configuration.optimizer {
      configuration.optimizer = .sgd(momentum: momentum ?? ownMomentum, nesterov: nesterov || ownNesterov)
    }
    if let learningRate { configuration.schedule.base = learningRate }
    switch schedule {
    case nil: break
    case .constant: configuration.schedule.shape = .constant
    case .cosine: configuration.schedule.shape = .cosine
    case .step: configuration.schedule.shape = .step(size: stepEpochs ?? 30, gamma: stepFactor ?? 0.1)
    }
    if let warmupEpochs { configuration.schedule.warmupEpochs = warmupEpochs }
    if let weightDecay { configuration.weightDecay = weightDecay }
    if excludeNormsAndBiases { configuration.excludeNormsAndBiases = true }
    if let labelSmoothing { configuration.labelSmoothing = labelSmoothing }
    if let clipGradients { configuration.clipGradientNorm = clipGradients }
    if let accumulate { configuration.accumulationSteps = accumulate }
    if let ema { configuration.emaDecay = ema }
    if let mixup { configuration.mixupAlpha = mixup }
  }
}

extension TrainingConfiguration {
  /// Another update rule comes with its usual learning rate.
  mutating func use(_ optimizer: OptimizerName) {
    guard optimizer.rawValue != self.optimizer.name else { return }
    self.optimizer = optimizer.rule
    schedule.base = optimizer == .sgd ? QuickStart.learningRate : 1e-3
  }
}
