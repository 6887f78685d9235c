import CKernels
import OctNetCheckpoint
import OctNetCore
import OctNetData
import OctNetSupport

/// Applies one update rule to the parameters of a network, in as few passes over memory as its settings allow.
///
/// What the rule remembers (velocity or moments) lies in buffers of the same order as the parameters; the padding
/// between and inside parameters holds zeros everywhere and keeps them.
public final class Optimizer {
  /// Floats of the buffers that share their settings.
  struct Group: Equatable {
    var range: Range<Int>
    var settings: UpdateSettings
  }

  /// The update rule and its constants.
  public let configuration: OptimizerConfiguration
  let groups: [Group]
  /// Those of parameters whose rule is for matrices, which no group has.
  let matrices: [FilterMatrix]
  /// Of each parameter: its place in `matrices`.
  private let matrixPlaces: [Int: Int]
  private var waiting = WaitingGradients()
  /// Of each parameter.
  let settings: [UpdateSettings]
  /// As many as the rule that remembers most has `stateNames`.
  let state: [AlignedBuffer]
  private let muon = Muon()
  /// Learning rates in place of the step's, for the parameters of groups with a schedule of their own. A parameter whose
  /// group's is over stays as it is.
  var courses: [Int: Double] = [:]
  /// Updates so far.
  public internal(set) var step = 0

  /// Receives the time of every update; nil measures nothing.
  public var profiler: Profiler?

  private let parameters: ParameterStore
  /// For the next call; results do not depend on it.
  var threads: Int

  /// - Parameters:
  ///   - configuration: the update rule and its constants.
  ///   - threads: OpenMP threads that it uses.
  ///   - weightDecay: of each step, as `torch.optim` has it.
  ///   - parameters: those that are frozen now stay as they are.
  ///   - excludeNormsAndBiases: apply the weight decay to the weights of convolutions and linear layers only.
  public convenience init(
    parameters: ParameterStore, configuration: OptimizerConfiguration, weightDecay: Float = 0,
    excludeNormsAndBiases: Bool = false, threads: Int
  ) {
    self.init(
      parameters: parameters, configuration: configuration,
      settings: parameters.entries.map {
        UpdateSettings($0, configuration, weightDecay, excludeNormsAndBiases)
      }, threads: threads)
  }

  /// - Parameters:
  ///   - configuration: the update rule and its constants.
  ///   - excludeNormsAndBiases: apply the weight decay to the weights of convolutions and linear layers only.
  ///   - parameters: those of the network.
  ///   - threads: OpenMP threads that it uses.
  ///   - weightDecay: of each step, as `torch.optim` has it.
  ///   - groups: parameters with a rate or a weight decay of their own.
  /// - Throws: `OctNetError.configuration` for a group out of bounds, and for one that names nothing.
  public convenience init(
    parameters: ParameterStore, configuration: OptimizerConfiguration, weightDecay: Float = 0,
    excludeNormsAndBiases: Bool = false, groups: [ParameterGroup], threads: Int
  ) throws(OctNetError) {
    self.init(
      parameters: parameters, configuration: configuration,
      settings: try UpdateSettings.resolve(
        parameters, configuration, weightDecay: weightDecay, excludeNormsAndBiases: excludeNormsAndBiases,
        groups: groups), threads: threads)
  }

  private init(
    parameters: ParameterStore, configuration: OptimizerConfiguration, settings: [UpdateSettings],
    threads: Int
  ) {
    self.parameters = parameters
    self.configuration = configuration
    self.threads = threads
    self.settings = settings
    groups = Self.groups(of: parameters, settings: settings)
    matrices = FilterMatrix.all(in: parameters.entries, settings)
    matrixPlaces = Dictionary(
      uniqueKeysWithValues: matrices.enumerated().flatMap { place, matrix in
        matrix.paths.map { ($0.parameter, place) }
      })
    state = (0..<(settings.map(\.rule.stateNames.count).max() ?? 0)).map { _ in
      AlignedBuffer(byteCount: parameters.count * MemoryLayout<Float>.stride)
    }
  }

  /// Neighbours of equal settings as one, gaps included: few, long kernel calls.
  private static func groups(of parameters: ParameterStore, settings: [UpdateSettings]) -> [Group] {
    var groups: [Group] = []
    for (index, entry) in parameters.entries.enumerated()
    where !entry.isFrozen && !settings[index].rule.isForMatrices {
      let isLast = index == parameters.entries.count - 1
      let end = isLast ? parameters.count : parameters.entries[index + 1].range.lowerBound
      if let last = groups.last, last.settings == settings[index],
        last.range.upperBound == entry.range.lowerBound
      {
        groups[groups.count - 1].range = last.range.lowerBound..<end
      } else {
        groups.append(Group(range: entry.range.lowerBound..<end, settings: settings[index]))
      }
    }
    return groups
  }

  /// One update of every parameter from `ParameterStore.gradients`. `gradientScale` multiplies the gradients first (see
  /// `clippingScale`).
  public func update(learningRate: Double, gradientScale: Float = 1) {
    update(parameters.gradients, learningRate: learningRate, gradientScale: gradientScale)
  }

  /// The same from gradients that lie elsewhere, in the order of the parameters.
  func update(_ gradients: UnsafePointer<Float>, learningRate: Double, gradientScale: Float) {
    beginStep()
    for matrix in matrices {
      update(
        matrix, matrix.paths.map { gradients + $0.entry.range.lowerBound }, learningRate: learningRate,
        gradientScale: gradientScale)
    }
    run(
      groups.filter { !isOver($0.settings) }.map { group in
        makeUpdate(
          group, gradient: gradients + group.range.lowerBound, learningRate: learningRate,
          gradientScale: gradientScale)
      })
  }

  /// Begins an update of the parameters slice by slice.
  /// - Returns: updates those of a slice from gradients that begin with it; to be called once for each.
  /// - Precondition: no rule is for matrices.
  func beginSlices(learningRate: Double) -> (Range<Int>, UnsafePointer<Float>) -> Void {
    precondition(matrices.isEmpty, "a rule for matrices needs whole gradients")
    beginStep()
    return { [self] slice, gradients in
      var updates: [oct_update] = []
      for group in groups where !isOver(group.settings) && group.range.overlaps(slice) {
        var part = group
        part.range = group.range.clamped(to: slice)
        updates.append(
          makeUpdate(
            part, gradient: gradients + (part.range.lowerBound - slice.lowerBound),
            learningRate: learningRate,
            gradientScale: 1))
      }
      run(updates)
    }
  }

  private func beginStep() {
    precondition(waiting.isEmpty, "a step before this one lacked the gradients of a matrix's paths")
    step += 1
  }

  /// Counts a step whose parameters are updated one by one. Where times are measured, no update waits but for the other paths
  /// of its matrix.
  func queue(learningRate: Double) -> UpdateQueue {
    beginStep()
    return UpdateQueue(waits: profiler == nil) { [self] id, gradient in
      let group = Group(range: parameters.entries[id.index].range, settings: settings[id.index])
      guard !isOver(group.settings) else { return nil }
      guard group.settings.rule.isForMatrices else {
        return makeUpdate(group, gradient: gradient, learningRate: learningRate, gradientScale: 1)
      }
      // Frozen when the optimizer was made, it is in none and stays.
      guard let place = matrixPlaces[id.index] else { return nil }
      let path = FilterMatrix.Path(parameter: id.index, entry: parameters.entries[id.index])
      waiting.add(gradient, of: path, in: matrices[place], threads: threads) { gradients in
        update(matrices[place], gradients, learningRate: learningRate, gradientScale: 1)
      }
      return nil
    } run: { [self] in
      run($0)
    }
  }

  /// Parameters that stay as they are, since the schedules of their groups have ended.
  var resting: Set<Int> { Set(settings.indices.filter { isOver(settings[$0]) }) }

  /// Whether the schedule of the parameters' group has ended.
  private func isOver(_ settings: UpdateSettings) -> Bool {
    settings.course.map { courses[$0] == 0 } ?? false
  }

  private func rate(of settings: UpdateSettings, _ learningRate: Double) -> Float {
    let base = settings.course.flatMap { courses[$0] } ?? learningRate
    return Float(base * settings.learningRateScale)
  }

  /// At once, on all threads: its products leave them no time for anything else.
  private func update(
    _ matrix: FilterMatrix, _ gradients: [UnsafePointer<Float>], learningRate: Double, gradientScale: Float
  ) {
    let settings = settings[matrix.paths[0].parameter]
    guard !isOver(settings) else { return }
    guard case .muon(let momentum, let nesterov, let iterations, let normalizes) = settings.rule else {
      preconditionFailure("a rule for matrices")
    }
    let step = Muon.Step(
      momentum: momentum, nesterov: nesterov, iterations: iterations, normalizes: normalizes,
      learningRate: rate(of: settings, learningRate), weightDecay: settings.weightDecay,
      gradientScale: gradientScale)
    func update() {
      muon.update(
        matrix, step, gradients: gradients, weights: parameters.values, velocity: state[0].floats,
        threads: threads)
    }
    guard let profiler else { return update() }
    let count = matrix.paths.reduce(0) { $0 + $1.entry.range.count }
    let bytes = Double(count * 5 * MemoryLayout<Float>.stride)
    profiler.measure(settings.rule.name, .update, bytes: bytes, update)
  }

  private func run(_ updates: [oct_update]) {
    func run() {
      let status = updates.withUnsafeBufferPointer { items in
        var list = oct_updates(items: items.baseAddress, count: items.count)
        return oct_run_updates(&list, Int32(threads))
      }
      precondition(status == OCT_OK, "optimizer settings the kernel refuses")
    }
    guard let profiler else { return run() }
    // Reads gradient, weights and state, writes weights and state.
    let count = updates.map(\.count).reduce(0, +)
    let bytes = Double(count * (3 + 2 * state.count) * MemoryLayout<Float>.stride)
    guard count > 0 else { return }
    profiler.measure(configuration.name, .update, bytes: bytes, run)
  }

  private func makeUpdate(
    _ group: Group, gradient: UnsafePointer<Float>, learningRate: Double, gradientScale: Float
  ) -> oct_update {
    let start = group.range.lowerBound
    let rate = rate(of: group.settings, learningRate)
    let weightDecay = group.settings.weightDecay
    var update = oct_update()
    update.count = group.range.count
    update.gradient = gradient
    update.weights = parameters.values + start
    // Another group's rule may remember what this one does not.
    if !group.settings.rule.stateNames.isEmpty { update.first = state.first.map { $0.floats + start } }
    switch group.settings.rule {
    case .muon: preconditionFailure("a rule for matrices")
    case .sgd(let momentum, let nesterov):
      update.optimizer = OCT_SGD
      update.sgd = oct_sgd(
        learning_rate: rate, momentum: momentum, weight_decay: weightDecay,
        gradient_scale: gradientScale, nesterov: nesterov, first_step: step == 1)
    case .adam(let beta1, let beta2, let epsilon), .adamW(let beta1, let beta2, let epsilon):
      update.optimizer = OCT_ADAM
      update.second = state[1].floats + start
      update.adam = oct_adam(
        beta1: beta1, beta2: beta2, learning_rate: rate, epsilon: epsilon,
        weight_decay: weightDecay, gradient_scale: gradientScale,
        decoupled: group.settings.rule.name == "adamw", step: Int64(step))
    }
    return update
  }

  /// √Σg² over all gradients.
  public func gradientNorm() -> Double { norm(of: parameters.gradients) }

  func norm(of gradients: UnsafePointer<Float>) -> Double {
    oct_sum_of_squares(parameters.count, gradients, Int32(threads)).squareRoot()
  }

  /// The factor that brings the norm of all gradients down to `maximum`, 1 where it is smaller already
  /// (`torch.nn.utils.clip_grad_norm_`: maximum / (norm + 1e-6)).
  public func clippingScale(maximum: Double) -> Float {
    Self.clippingScale(maximum: maximum, norm: gradientNorm())
  }

  static func clippingScale(maximum: Double, norm: Double) -> Float {
    Float(min(1, maximum / (norm + 1e-6)))
  }
}
