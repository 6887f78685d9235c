import OctNetCore
import OctNetModels
import OctNetSupport

/// What had to be done to a state dictionary before it could be loaded.
public struct LoadReport: Equatable, Sendable {
  /// Where the classifier's weights are from.
  public enum Head: Equatable, Sendable {
    /// From the file.
    case loaded
    /// The file has one for another number of classes; the network's own values stay.
    case otherClasses(Int)
    /// The file has none; the network's own values stay.
    case absent
    /// The file's is for the same classes in another order; its rows were brought into the network's.
    case reordered
    /// The file's is for as many classes of other names, the first of which is told; the network's own values stay.
    case otherNames(String)
  }

  /// What every key began with, such as `module.` of PyTorch's data parallelism or `_orig_mod.` of its compiler.
  public var strippedPrefix = ""
  /// Keys without that prefix, which were left out: everything the network needs is below it.
  public var outsideKeys: [String] = []
  /// `num_batches_tracked` that are not there, or not a finite number: counted from 0.
  public var missingCounters = 0
  /// What became of the classifier.
  public var head = Head.loaded
  /// Why a classifier was kept, where that was a question.
  public var headReason: String?
  /// Keys that kept the network's own values.
  public var keptKeys: [String] = []
  /// Keys of another classifier that were left out.
  public var leftKeys: [String] = []
  /// The weight of the first convolution, whose three input channels were summed for images of one channel.
  public var summedStem: String?

  /// Nothing had to be done.
  public init() {}

  /// One sentence for each thing that was done.
  public var lines: [String] {
    var lines: [String] = []
    if !strippedPrefix.isEmpty {
      let prefix = StateMismatch.shortened(strippedPrefix)
      if let list = StateMismatch.list(outsideKeys, "beside these left out") {
        lines.append("taken from below \"\(prefix)\"; \(list)")
      } else {
        lines.append("all keys begin with \"\(prefix)\": left out")
      }
    }
    if missingCounters > 0 {
      lines.append("without \(missingCounters) of the counters num_batches_tracked: they begin at 0")
    }
    if let summedStem { lines.append("for RGB images: summed the three input channels of \(summedStem)") }
    switch head {
    case .loaded:
      if let headReason { lines.append("classifier kept: \(headReason)") }
      if let list = StateMismatch.list(keptKeys, "not there, own values kept") { lines.append(list) }
    case .reordered: lines.append("classifier kept: same classes in another order, mapped by name")
    case .otherNames(let difference):
      lines.append("for other classes (\(difference)); left random: \(keptKeys.joined(separator: ", "))")
    case .otherClasses(let count):
      lines.append(
        "for \(numbered(count, "class", plural: "classes")); left random: \(keptKeys.joined(separator: ", "))"
      )
    case .absent: lines.append("has no classifier; left random: \(keptKeys.joined(separator: ", "))")
    }
    let what = head == .loaded ? "that the network has not left out" : "of another head left out"
    if let list = StateMismatch.list(leftKeys, what) { lines.append(list) }
    return lines
  }
}

/// Makes a state dictionary of somebody else's fit a network, as far as that changes no meaning, and tells what it did.
struct StateFitting {
  /// What the network needs under a name.
  struct Slot {
    var name: String
    var shape: [Int]
    var isCounter: Bool
  }

  let slots: [Slot]
  var state: StateDictionary
  var report = LoadReport()
  private let expected: Set<String>
  /// Then the number of classes is no reason for not fitting.
  private var mayLeaveHead = false

  init(_ state: StateDictionary, slots: [Slot]) {
    self.state = state
    self.slots = slots
    expected = Set(slots.map(\.name))
  }

  /// Takes away the dotted prefix that all keys share where more of the network's names appear without it, or the one
  /// below which the network is.
  mutating func stripPrefix() {
    var best = (prefix: "", matches: state.count { expected.contains($0.name) })
    for prefix in sharedPrefixes() {
      let matches = state.count { expected.contains(String($0.name.dropFirst(prefix.count))) }
      if matches > best.matches { best = (prefix, matches) }
    }
    if best.prefix.isEmpty, let prefix = wholePrefix() {
      best.prefix = prefix
      report.outsideKeys = state.map(\.name).filter { !$0.hasPrefix(prefix) }
      state.removeAll { !$0.name.hasPrefix(prefix) }
    }
    guard !best.prefix.isEmpty else { return }
    state = state.map { (String($0.name.dropFirst(best.prefix.count)), $0.value) }
    report.strippedPrefix = best.prefix
  }

  /// The prefix of some keys below which the network is, whole but for its classifier and counters, with its shapes: as
  /// PyTorch's averaged models (`module.` beside `n_averaged`) and detectors (`backbone.`) have it. `nil` where there are
  /// several, of which nobody knows the right one.
  private func wholePrefix() -> String? {
    guard let some = slots.first(where: { !$0.isCounter && !Self.isHead($0.name) }) else { return nil }
    let shapes = Dictionary(state.map { ($0.name, $0.value.shape) }, uniquingKeysWith: { first, _ in first })
    // Blocks have layers of the same names as the network itself; its own prefix is shorter than theirs.
    let candidates = shapes.keys.filter { $0.hasSuffix("." + some.name) }
      .map { String($0.dropLast(some.name.count)) }
      .sorted { ($0.utf8.count, $0) < ($1.utf8.count, $1) }
    let prefixes = candidates.prefix(16)
      .filter { prefix in
        slots.allSatisfy { slot in
          slot.isCounter || Self.isHead(slot.name) || shapes[prefix + slot.name] == slot.shape
        }
      }
    return prefixes.count == 1 ? prefixes[0] : nil
  }

  /// `module.`, `module._orig_mod.`, …, the shortest first; wrappers are not nested deeper than eight.
  private func sharedPrefixes() -> [String] {
    guard let first = state.first?.name else { return [] }
    var prefixes: [String] = []
    for part in first.split(separator: ".", omittingEmptySubsequences: false).dropLast().prefix(8) {
      let prefix = (prefixes.last ?? "") + part + "."
      guard state.allSatisfy({ $0.name.hasPrefix(prefix) }) else { break }
      prefixes.append(prefix)
    }
    return prefixes
  }

  /// Notes which counters are missing; like PyTorch's strict loading, `mismatch` does not ask for them.
  mutating func countMissingCounters() {
    let given = Set(state.map(\.name))
    report.missingCounters = slots.count { $0.isCounter && !given.contains($0.name) }
  }

  /// Leaves the classifier (torchvision's `fc` or `classifier`) as the network has it where the file's is for another number of classes, or
  /// where there is none. Then also modules that the network has not at all are left out: another head.
  mutating func leaveOtherHead() {
    mayLeaveHead = true
    let head = slots.filter { Self.isHead($0.name) }
    guard !head.isEmpty else { return }
    let given = Dictionary(state.map { ($0.name, $0.value.shape) }, uniquingKeysWith: { first, _ in first })
    let found = head.compactMap { given[$0.name] }
    if found.isEmpty {
      guard slots.allSatisfy({ Self.isHead($0.name) || $0.isCounter || given[$0.name] != nil }) else {
        return
      }
      let modules = Set(slots.map { Self.module($0.name) })
      report.head = .absent
      report.leftKeys = state.map(\.name).filter { !modules.contains(Self.module($0)) }
    } else {
      guard let classes = found[0].first, found.count == head.count,
        zip(head, found).allSatisfy({ slot, shape in
          shape.first == classes && classes != slot.shape.first && shape.dropFirst() == slot.shape.dropFirst()
        })
      else { return }
      report.head = .otherClasses(classes)
    }
    report.keptKeys = head.map(\.name)
    let left = Set(report.leftKeys + report.keptKeys)
    state.removeAll { left.contains($0.name) }
  }

  /// Leaves what the network has not, and lets the network keep what is not there; nothing where no name agrees.
  mutating func leaveUnmatched() {
    let given = Set(state.map(\.name))
    guard slots.contains(where: { given.contains($0.name) }) else { return }
    report.keptKeys = slots.map(\.name).filter { !given.contains($0) }
    report.leftKeys = state.map(\.name).filter { !expected.contains($0) }
    report.missingCounters = 0
    state.removeAll { !expected.contains($0.name) }
  }

  /// What an RGB image's convolution gives for a gray one in all three channels, as timm does it.
  mutating func sumStem(_ name: String?) {
    guard let slot = slots.first(where: { $0.name == name }), slot.shape.count == 4, slot.shape[1] == 1,
      let index = state.firstIndex(where: { $0.name == name }), case .tensor(let tensor) = state[index].value,
      tensor.shape == [slot.shape[0], 3, slot.shape[2], slot.shape[3]]
    else { return }
    let taps = slot.shape[2] * slot.shape[3]
    var sum = Tensor(zeros: slot.shape)
    for (output, place) in sum.values.indices.map({ ($0 / taps, $0) }) {
      let source = output * 3 * taps + place % taps
      sum.values[place] =
        tensor.values[source] + tensor.values[source + taps] + tensor.values[source + 2 * taps]
    }
    state[index].value = .tensor(sum)
    report.summedStem = slot.name
  }

  /// Whether a key is of the classifier: torchvision calls it `fc` in ResNets, `classifier` or `classifier.1` elsewhere;
  /// `head` is that of `airbench94`.
  static func isHead(_ name: String) -> Bool {
    ["fc.", "classifier.", "head."].contains { name.hasPrefix($0) }
  }

  private static func module(_ name: String) -> Substring { name.prefix { $0 != "." } }

  // MARK: What does not fit

  /// `nil` where everything fits; counters may be missing, and the classifier where it was left.
  func mismatch() -> StateMismatch? {
    var mismatch = StateMismatch()
    var given: [String: StateValue] = [:]
    for (name, value) in state where given.updateValue(value, forKey: name) != nil {
      mismatch.repeated.append(name)
    }
    let kept = Set(report.keptKeys)
    for slot in slots where !kept.contains(slot.name) {
      guard let value = given[slot.name] else {
        if slot.isCounter { continue }
        mismatch.missing.append("\(slot.name) \(slot.shape)")
        continue
      }
      if value.shape != slot.shape || value.isCounter != slot.isCounter {
        mismatch.unfit.append("\(slot.name) \(value.shape) instead of \(slot.shape)")
      }
    }
    for (name, value) in state where !expected.contains(name) {
      mismatch.unexpected.append("\(name) \(value.shape)")
    }
    guard !mismatch.isEmpty else { return nil }
    mismatch.cause = cause(of: mismatch)
    return mismatch
  }

  private func cause(of mismatch: StateMismatch) -> StateMismatch.Cause? {
    if let prefix = partialPrefix() { return .prefix(prefix) }
    func shapes(_ pairs: [(String, [Int])]) -> [String: [Int]] {
      Dictionary(
        pairs.filter { !mayLeaveHead || !Self.isHead($0.0) }, uniquingKeysWith: { first, _ in first })
    }
    let ownShapes = shapes(slots.map { ($0.name, $0.shape) })
    let fileShapes = shapes(state.map { ($0.name, $0.value.shape) })
    if let family = StateMismatch.Cause.family(
      of: fileShapes, insteadOf: ownShapes, ignoringClasses: mayLeaveHead)
    {
      return family
    }
    guard let network = ResNetTraits(ownShapes) else { return nil }
    guard let file = ResNetTraits(fileShapes) else {
      let isTransformers = state.contains {
        $0.name.contains("embedder.") || $0.name.contains(".convolution.")
      }
      return isTransformers ? .transformersNames : .otherFamily
    }
    let (found, expected) = file.differences(from: network)
    if !found.isEmpty {
      return .architecture(found: found, expected: expected, settings: file.settings(insteadOf: network))
    }
    let lacksHead = !mismatch.missing.isEmpty && mismatch.missing.allSatisfy { Self.isHead($0) }
    return lacksHead && mismatch.unfit.isEmpty ? .noClassifier : nil
  }

  /// The prefix below which at least half of the network's keys are, where they are not there without it.
  private func partialPrefix() -> String? {
    var counts: [String: Int] = [:]
    for (name, _) in state {
      var rest = name[...]
      for _ in 0..<8 {
        guard let dot = rest.firstIndex(of: ".") else { break }
        rest = rest[rest.index(after: dot)...]
        if expected.contains(String(rest)) { counts[String(name[..<rest.startIndex]), default: 0] += 1 }
      }
    }
    guard let best = counts.max(by: { ($0.value, $1.key) < ($1.value, $0.key) }),
      2 * best.value >= slots.count, state.count(where: { expected.contains($0.name) }) < best.value
    else { return nil }
    return best.key
  }
}
