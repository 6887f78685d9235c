import OctNetCore
import OctNetModels
import OctNetSupport

extension Checkpoint {
  /// The network that the file says it is for, else the one that its keys and shapes are of.
  public var recognizedModel: ModelConfiguration? { model ?? ModelConfiguration.recognized(in: state) }

  /// A checkpoint of `target`, whatever the octaves of this one.
  ///
  /// Weights of another α go by way of the ordinary network (`OctaveSlicing`): cut from it, or joined to it, or both.
  ///
  /// - Parameters:
  ///   - source: what this checkpoint's weights are of.
  ///   - target: the same network but for its octaves: α, variant, downsampling and the paths between the octaves.
  /// - Returns: the checkpoint, with all that this one says of its data, and what was done, a line each.
  /// - Throws: `OctNetError.stateDictionary` where the weights are not of `source`, naming the file;
  ///   `OctNetError.graph` and `.configuration` for networks that cannot be built or cut.
  public func converted(
    from source: ModelConfiguration, to target: ModelConfiguration
  ) throws -> (checkpoint: Checkpoint, notes: [String]) {
    let network = try source.makeNetwork()
    var notes = self.notes + (try load(into: network)).lines
    var result = self
    result.model = target
    result.notes = []
    result.state = network.stateDictionary()
    let plan = try Self.plan(from: source, to: target)
    do {
      if let joining = plan.joining { result.state = try joining.joined(result.state) }
      if let slicing = plan.slicing { result.state = try slicing.sliced(result.state) }
    } catch { throw path.map { .file(path: $0, "\(error)") } ?? error }
    // Such as those of another width, where nothing was to be cut.
    let fitting = StateFitting(result.state, slots: StateFitting.slots(of: try target.makeGraph()))
    if let mismatch = fitting.mismatch() {
      throw path.map { OctNetError.file(path: $0, mismatch.problem) } ?? OctNetError.stateDictionary(mismatch)
    }
    notes += plan.notes(from: source, to: target)
    return (result, notes)
  }

  /// This checkpoint, or where it is of the ordinary network that `target` is with its octaves, that network's weights
  /// cut into them. Classes and channels of images may be others: they are for `loadPretrained`.
  ///
  /// - Throws: as `converted(from:to:)`.
  public func slicedIfOrdinary(for target: ModelConfiguration) throws -> Checkpoint {
    guard target.alpha > 0, let source = recognizedModel, source.alpha == 0, source.name == target.name,
      source.stem == target.stem || source.name.hasPrefix("mobilenet"),
      source.widthMultiplier ?? 1 == target.widthMultiplier ?? 1
    else { return self }
    var cut = target
    cut.classes = source.classes
    cut.inputChannels = source.inputChannels
    var ordinary = source
    ordinary.stem = target.stem
    // A prefix is taken away first, and what becomes of a missing classifier is decided afterwards.
    var complete = self
    let slots = StateFitting.slots(of: try ordinary.makeGraph())
    var fitting = StateFitting(state, slots: slots)
    fitting.stripPrefix()
    complete.state = fitting.state
    complete.notes += fitting.report.lines
    let lacksHead = !complete.state.contains { StateFitting.isHead($0.name) }
    if lacksHead {
      complete.state += slots.filter { StateFitting.isHead($0.name) }
        .map { ($0.name, .tensor(Tensor(zeros: $0.shape))) }
    }
    var (result, notes) = try complete.converted(from: ordinary, to: cut)
    if lacksHead { result.state.removeAll { StateFitting.isHead($0.name) } }
    result.model = nil
    result.notes = notes
    return result
  }

  private struct ConversionPlan {
    var joining, slicing: OctaveSlicing?

    func notes(from source: ModelConfiguration, to target: ModelConfiguration) -> [String] {
      var notes: [String] = []
      func ratio(_ model: ModelConfiguration) -> String { "α = \(format(model.alpha, digits: 8))" }
      if joining != nil {
        notes.append("an octave network (\(ratio(source))): the paths of its kernels and its norms joined")
      }
      guard let slicing else { return notes }
      notes.append("an ordinary network (α = 0): kernels and norms cut into octaves of \(ratio(target))")
      if !slicing.identities.isEmpty {
        notes.append(
          "only the octave network has \(slicing.identities.joined(separator: ", ")): the identity")
      }
      if slicing.leftOut > 0 {
        notes.append("\(numbered(slicing.leftOut, "weight")) of paths that are switched off left out")
      }
      return notes
    }
  }

  /// Nothing where the weights are the same ones.
  private static func plan(
    from source: ModelConfiguration, to target: ModelConfiguration
  ) throws -> ConversionPlan {
    let (from, to) = (try source.makeGraph(), try target.makeGraph())
    let (old, new) = (StateFitting.slots(of: from), StateFitting.slots(of: to))
    if old.map(\.name) == new.map(\.name), old.map(\.shape) == new.map(\.shape) { return ConversionPlan() }
    var ordinary = target
    ordinary.alpha = 0
    ordinary.downsampling = .strided
    let hub = try ordinary.makeGraph()
    return ConversionPlan(
      joining: source.alpha == 0 ? nil : try OctaveSlicing(ordinary: hub, octave: from),
      slicing: target.alpha == 0 ? nil : try OctaveSlicing(ordinary: hub, octave: to))
  }
}
