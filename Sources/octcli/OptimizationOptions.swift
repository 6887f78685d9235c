import ArgumentParser
import OctNet
import OctNetSettings

extension OptimizerName: ExpressibleByArgument {}
extension ClassWeights: ExpressibleByArgument {}

enum ScheduleName: String, ExpressibleByArgument, CaseIterable {
  case constant, step, cosine, linear
}

extension LossReduction: ExpressibleByArgument {}
extension ReduceDtype: ExpressibleByArgument {}

/// How the network learns. Everything is optional: what is not given comes from the recipe or its absence.
struct OptimizationOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Passes over the training images (default: \(QuickStart.epochs)).",
      discussion:
        "With a decimal fraction, such as 7.6, training and schedule end in the middle of the last one.",
      valueName: "n"))
  var epochs: EpochCount?

  @Option(help: ArgumentHelp("Images a step (default: \(QuickStart.batchSize)).", valueName: "n"))
  var batchSize: Int?

  @Option(help: "Update rule (default: sgd).")
  var optimizer: OptimizerName?

  @Option(
    help: ArgumentHelp(
      "Base learning rate (default: \(QuickStart.learningRate) with sgd, 0.001 with adam and adamw, \(QuickStart.muonLearningRate) with muon).",
      valueName: "rate"))
  var learningRate: Double?

  @Option(help: ArgumentHelp("Momentum of sgd (default: 0.9) or muon (default: 0.95).", valueName: "m"))
  var momentum: Float?

  @Flag(help: "Nesterov's form of momentum, for sgd; muon has it.")
  var nesterov = false

  @Option(
    help: ArgumentHelp(
      "Iterations of Newton and Schulz in an update by muon (default: 5).",
      discussion: "muon updates filters as matrices, and the other parameters by sgd with the same momentum.",
      valueName: "n"))
  var newtonSchulz: Int?

  @Flag(help: "With muon, bring each filter matrix to a norm of √outputs before each update.")
  var normalizeWeights = false

  @Option(
    help: ArgumentHelp(
      "Course of the learning rate (default: cosine).",
      discussion:
        "constant; step: times --step-factor every --step-epochs; cosine and linear: to 0 at the end."))
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

  @Option(
    help: ArgumentHelp(
      "What gradients are of: the mean of a batch's losses, or their sum (default: mean).",
      discussion: "What is printed stays the mean."))
  var lossReduction: LossReduction?

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
      "Parts of a batch, a power of two, each with norm statistics of its own (default: 1).",
      discussion: "One at a time is in memory, and gradients are added up in a fixed order.",
      valueName: "n"))
  var shards: Int?

  @Option(
    help: ArgumentHelp(
      "Numbers in which the gradients of --shards are added up, and ranks send them (default: float32).",
      discussion:
        "bfloat16 rounds each shard's gradient and each of their sums but the last: half the bytes between ranks."
    ))
  var reduceDtype: ReduceDtype?

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

  @Option(
    help: ArgumentHelp(
      "Give pairs of training images a rectangle of each other, its area from Beta(α, α), such as 1 (default: none).",
      discussion: "With --mixup, each batch is mixed in one of both ways.", valueName: "α"))
  var cutmix: Double?

  @Option(
    help: ArgumentHelp("Part of the batches that --mixup and --cutmix mix (default: 1).", valueName: "p"))
  var mixupProb: Double?

  @Option(
    help: ArgumentHelp(
      "Part of the mixed batches that --cutmix takes beside --mixup (default: 0.5).", valueName: "p"))
  var mixupSwitchProb: Double?

  @Option(
    help: ArgumentHelp(
      "Weigh classes in the loss: balanced, by 1 ÷ their images (default: all alike).",
      discussion: "For classes of unequal size. The loss is that of weighted images then, in training alone.")
  )
  var classWeights: ClassWeights?

  @Flag(
    help: ArgumentHelp(
      "Draw as many images of each class; some are then seen more than once an epoch, and some not.",
      discussion: "In place of --class-weights, for classes of unequal size."))
  var balancedSampler = false

  @Option(
    parsing: .singleValue,
    help: ArgumentHelp(
      "Leave a part of the network as it is: a name of its state, or what is above, such as layer1 (repeatable).",
      discussion:
        "Norms in it keep their running statistics, and nothing below the first trained layer is computed backward.",
      valueName: "module"))
  var freeze: [String] = []

  @Option(
    parsing: .singleValue,
    help: ArgumentHelp(
      "Multiply the learning rate of a part of the network, such as fc=10 (repeatable; the first that fits counts).",
      discussion: "All else stays as the recipe, the file or other flags have it for those parameters.",
      valueName: "module=factor"))
  var rateScale: [RateScale] = []

  @Option(
    parsing: .singleValue,
    help: ArgumentHelp(
      "Settings of a part of the network (repeatable; the first that fits counts, before --rate-scale).",
      discussion: """
        WHAT:key=value,…, such as filters:optimizer=muon,momentum=0.6,rate=0.24 or biases+norms:decay=0. WHAT: names of the \
        network's state or what is above, and filters, linear, biases, norms for those kinds of parameters. Keys: rate (factor \
        of the learning rate), decay, epochs (after which it rests), optimizer, momentum, nesterov, iterations, normalize. \
        What a group leaves out stays as the recipe, the file or other flags have it for those parameters, and rates are \
        multiplied.
        """, valueName: "group"),
    transform: GroupArgument.init(parsing:))
  var group: [GroupArgument] = []

  /// Whether anything but `--epochs` was given.
  var changesMoreThanEpochs: Bool {
    batchSize != nil || optimizer != nil || learningRate != nil || momentum != nil || nesterov
      || schedule != nil || stepEpochs != nil || stepFactor != nil || warmupEpochs != nil
      || weightDecay != nil
      || excludeNormsAndBiases || labelSmoothing != nil || clipGradients != nil || accumulate != nil
      || shards != nil || reduceDtype != nil || ema != nil
      || mixup != nil || cutmix != nil || mixupProb != nil || mixupSwitchProb != nil || classWeights != nil
      || balancedSampler || !freeze.isEmpty || !rateScale.isEmpty || !group.isEmpty || lossReduction != nil
      || newtonSchulz != nil || normalizeWeights
  }

  func validate() throws {
    if momentum != nil || nesterov, let optimizer, optimizer != .sgd, optimizer != .muon {
      throw ValidationError(
        "--momentum and --nesterov belong to --optimizer sgd and muon, found \(optimizer.rawValue)")
    }
    if newtonSchulz != nil || normalizeWeights, let optimizer, optimizer != .muon {
      throw ValidationError(
        "--newton-schulz and --normalize-weights belong to --optimizer muon, found \(optimizer.rawValue)")
    }
    if stepEpochs != nil || stepFactor != nil, let schedule, schedule != .step {
      throw ValidationError(
        "--step-epochs and --step-factor belong to --schedule step, found \(schedule.rawValue)")
    }
    try checkBounds()
  }

  /// The library's bounds, for each flag on its own.
  private func checkBounds() throws {
    var probe = QuickStart.configuration(
      data: "", normalization: Normalization(mean: [0], std: [1]), threads: 1)
    probe.optimizer = newtonSchulz != nil || normalizeWeights || optimizer == .muon ? .muon : .sgd
    probe.schedule.shape = .step(size: 1, gamma: 0.1)
    do {
      try apply(to: &probe)
      // What a probability belongs to may stand in a file.
      if mixupProb != nil || mixupSwitchProb != nil {
        (probe.mixupAlpha, probe.cutmixAlpha) = (mixup ?? 1, cutmix ?? 1)
      }
      // And so may shards.
      if shards == nil { probe.reduceDtype = nil }
      // How many shards there may be depends on the batch, which may stand in a file or a recipe.
      if batchSize == nil {
        probe.batchSize = max(probe.batchSize, min(shards ?? 0, SettingBounds.shards.upperBound))
      }
      // How long a warm-up may be depends on the epochs, which may stand in a file.
      if epochs == nil {
        probe.epochs = max(probe.epochs, min(warmupEpochs ?? 0, SettingBounds.epochs.upperBound))
      }
      try probe.validate()
    } catch OctNetError.configuration(let key, let problem) {
      throw ValidationError(told(key, problem))
    }
  }

  /// A problem with the flag that it is of, and with the word of `--group` where it is of a group.
  private func told(_ key: String, _ problem: String) -> String {
    let ofGroups = "parameterGroups."
    guard key.hasPrefix(ofGroups) else { return "\(Self.flags[key] ?? key): \(problem)" }
    let setting = String(key.dropFirst(ofGroups.count))
    // Groups stand in front of scales, of which nothing but the factor can be wrong.
    let factors = group.map(\.change.rateFactor)
    if setting == "learningRateScale", factors.allSatisfy({ $0 >= 0 && $0.isFinite }) {
      return "--rate-scale: \(problem)"
    }
    return "--group: \(Self.groupWords[setting] ?? setting): \(problem)"
  }

  /// By the key that the library names.
  private static let flags = [
    "epochs": "--epochs", "batchSize": "--batch-size", "learningRate": "--learning-rate",
    "momentum": "--momentum", "iterations": "--newton-schulz", "lastEpochShare": "--epochs",
    "stepSize": "--step-epochs", "gamma": "--step-factor",
    "warmupEpochs": "--warmup-epochs", "weightDecay": "--weight-decay",
    "labelSmoothing": "--label-smoothing", "clipGradientNorm": "--clip-gradients",
    "accumulationSteps": "--accumulate", "shards": "--shards", "reduceDtype": "--reduce-dtype",
    "emaDecay": "--ema",
    "mixupAlpha": "--mixup", "cutmixAlpha": "--cutmix", "mixupProbability": "--mixup-prob",
    "mixupSwitchProbability": "--mixup-switch-prob",
  ]

  /// What `--group` calls the settings of a group that it has another word for.
  private static let groupWords = [
    "learningRateScale": "rate", "weightDecay": "decay", "optimizer.momentum": "momentum",
    "optimizer.iterations": "iterations",
  ]

  /// Writes what was given over `configuration`, which may have it from a file that says what is `stated`.
  /// - Throws: `ValidationError` for a flag of another optimizer or schedule than the run's.
  func apply(
    to configuration: inout TrainingConfiguration, keeping stated: StatedSettings = StatedSettings()
  ) throws {
    epochs?.apply(to: &configuration)
    if let batchSize { configuration.batchSize = batchSize }
    if let optimizer { configuration.use(optimizer, keeping: stated) }
    if case .sgd(let ownMomentum, let ownNesterov) = configuration.optimizer {
      // Nesterov's form needs a momentum; who asks for none takes it back, unless both were asked for.
      configuration.optimizer = .sgd(
        momentum: momentum ?? ownMomentum, nesterov: nesterov || (ownNesterov && momentum != 0))
    } else if case .muon(let ownMomentum, let ownNesterov, let iterations, let normalizes) =
      configuration.optimizer
    {
      configuration.optimizer = .muon(
        momentum: momentum ?? ownMomentum, nesterov: (nesterov || ownNesterov) && momentum != 0,
        iterations: newtonSchulz ?? iterations, normalizesWeights: normalizeWeights || normalizes)
    } else if momentum != nil || nesterov {
      throw ValidationError(
        "--momentum and --nesterov belong to the optimizers sgd and muon, the run's is \(configuration.optimizer.name); "
          + "add --optimizer sgd")
    }
    if newtonSchulz != nil || normalizeWeights, configuration.optimizer.name != "muon" {
      throw ValidationError(
        "--newton-schulz and --normalize-weights belong to the optimizer muon, the run's is "
          + "\(configuration.optimizer.name); add --optimizer muon")
    }
    if let learningRate { configuration.schedule.base = learningRate }
    try applySchedule(to: &configuration.schedule.shape)
    if let warmupEpochs { configuration.schedule.warmupEpochs = warmupEpochs }
    if let weightDecay { configuration.weightDecay = weightDecay }
    if excludeNormsAndBiases { configuration.excludeNormsAndBiases = true }
    if let lossReduction { configuration.lossReduction = lossReduction }
    if let labelSmoothing { configuration.labelSmoothing = labelSmoothing }
    if let clipGradients { configuration.clipGradientNorm = clipGradients }
    if let accumulate { configuration.accumulationSteps = accumulate }
    if let shards { configuration.shards = shards }
    if let reduceDtype { configuration.reduceDtype = reduceDtype }
    if let ema { configuration.emaDecay = ema }
    if let mixup { configuration.mixupAlpha = mixup }
    if let cutmix { configuration.cutmixAlpha = cutmix }
    if let mixupProb { configuration.mixupProbability = mixupProb }
    if let mixupSwitchProb { configuration.mixupSwitchProbability = mixupSwitchProb }
    if let classWeights { configuration.classWeights = classWeights }
    if balancedSampler { configuration.balancedSampler = true }
    if !freeze.isEmpty { configuration.frozen = freeze }
    let changes = group.map(\.change) + rateScale.map(\.change)
    if !changes.isEmpty {
      let present = configuration.parameterGroups ?? []
      configuration.parameterGroups =
        changes.flatMap { $0.groups(before: present, of: configuration.optimizer) } + present
    }
  }

  private func applySchedule(to shape: inout LearningRateSchedule.Shape) throws {
    switch schedule {
    case nil: break
    case .constant: shape = .constant
    case .cosine: shape = .cosine
    case .linear: shape = .linear
    case .step:
      // The numbers of a step schedule that is there already stay.
      if case .step = shape { break }
      shape = .step(size: 30, gamma: 0.1)
    }
    if case .step(let size, let factor) = shape {
      shape = .step(size: stepEpochs ?? size, gamma: stepFactor ?? factor)
    } else if stepEpochs != nil || stepFactor != nil {
      throw ValidationError(
        "--step-epochs and --step-factor belong to the step schedule, the run's is \(shape.name); "
          + "add --schedule step")
    }
  }
}
