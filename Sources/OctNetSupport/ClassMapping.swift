/// Which of a network's classes each class of a data set is: found by name, so that equal numbers of different things are
/// never taken for each other.
///
/// Names are compared by their code points: "é" of one code point and of two are the names of two folders.
public struct ClassMapping: Equatable, Sendable {
  /// The network's.
  public let classNames: [String]
  /// The network's class for each label of the data.
  public let labels: [Int]
  /// What was done, or what nothing can tell, in one sentence; `nil` where the names are the same.
  public let note: String?

  /// Every class keeps its number.
  public var isIdentity: Bool { labels == Array(classNames.indices) }
  /// Every class of the network is one of the data's.
  public var isPermutation: Bool { labels.count == classNames.count }

  /// - Parameters:
  ///   - data: whose classes are mapped.
  ///   - network: whose classes they become.
  ///   - owner: what the network's names are from, in messages: "the checkpoint".
  ///   - byNumber: takes names for the same thing where there are as many of them.
  /// - Throws: `OctNetError.configuration` that names the first class of the data which the network does not have.
  public init(
    of data: ClassLabels, to network: ClassLabels, owner: String, byNumber: Bool = false
  ) throws(OctNetError) {
    let known = network.names.isEmpty ? data.names : network.names
    classNames = known
    // A foreign file's network is as large as the data; which class is which, it does not say.
    if network.names.isEmpty {
      labels = Array(data.names.indices)
      note = "\(owner) has no class names: its classes are taken by number"
      return
    }
    if Self.same(data.names, known) {
      labels = Array(known.indices)
      note = Self.doubt(data, network, owner)
      return
    }
    if byNumber || Self.isOlder(network, than: data) {
      guard data.names.count == known.count else {
        throw Self.error(
          "found \(numbered(data.names.count, "class", plural: "classes")), \(owner) has \(known.count)")
      }
      labels = Array(known.indices)
      note = byNumber ? nil : "\(owner) has only numbers for class names: its classes are taken by number"
      return
    }
    var numbers: [[UInt8]: Int] = [:]
    for (number, name) in known.enumerated()
    where numbers.updateValue(number, forKey: Array(name.utf8)) != nil {
      throw Self.error("\(owner) has two classes \(Self.quoted(name)), so that no name says which is meant")
    }
    var labels: [Int] = []
    for (label, name) in data.names.enumerated() {
      guard let number = numbers[Array(name.utf8)] else {
        throw Self.error(Self.difference(label, data.names, known, owner))
      }
      labels.append(number)
    }
    guard Set(labels).count == labels.count else {
      throw Self.error("the data has two classes of one name, so that nothing says which is meant")
    }
    self.labels = labels
    note =
      labels.count == known.count
      ? "classes are in another order than in \(owner): mapped by name"
      : "\(labels.count) of the \(numbered(known.count, "class", plural: "classes")) of \(owner), mapped by name"
  }

  /// By code points.
  package static func same(_ a: [String], _ b: [String]) -> Bool {
    a.count == b.count && zip(a, b).allSatisfy { $0.utf8.elementsEqual($1.utf8) }
  }

  /// Where numbers are the same on both sides, they may yet number different things.
  private static func doubt(_ data: ClassLabels, _ network: ClassLabels, _ owner: String) -> String? {
    guard data.areNumbers, let found = data.fingerprint, found != network.fingerprint else { return nil }
    return network.fingerprint == nil
      ? "class names are numbers: nothing says whether the data and \(owner) number the same things"
      : "class names are numbers, and the training labels are other ones than those of \(owner): nothing says "
        + "whether they number the same things"
  }

  /// Before fingerprints were written down, published IDX sets had numbers for names, too.
  private static func isOlder(_ network: ClassLabels, than data: ClassLabels) -> Bool {
    network.fingerprint == nil && network.areNumbers && !data.areNumbers
      && network.names.count == data.names.count
  }

  private static func difference(
    _ label: Int, _ data: [String], _ network: [String], _ owner: String
  ) -> String {
    let found = "class \(label) is \(quoted(data[label])) in the data"
    return network.indices.contains(label)
      ? "\(found), \(quoted(network[label])) in \(owner), which has no class of that name"
      : "\(found), and \(owner), of \(numbered(network.count, "class", plural: "classes")), has none of that name"
  }

  private static func quoted(_ name: String) -> String { "\"\(StateMismatch.shortened(name))\"" }

  /// Of errors about names.
  public static let errorKey = "class names"

  private static func error(_ problem: String) -> OctNetError { .configuration(key: errorKey, problem) }
}
