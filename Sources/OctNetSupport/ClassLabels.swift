/// What is known of the meaning of class numbers: the classes' names, and a fingerprint of the labels they were learnt
/// from, which tells data sets apart whose names are only numbers.
public struct ClassLabels: Equatable, Sendable {
  /// One a class; empty where nobody wrote them down.
  public var names: [String]
  /// Of all training labels in their order; `nil` where they are not known.
  public var fingerprint: String?

  /// Classes that are known by name.
  public init(names: [String], fingerprint: String? = nil) {
    self.names = names
    self.fingerprint = fingerprint
  }

  /// "0", "1", …: what data sets without names have.
  public var areNumbers: Bool { !names.isEmpty && names == names.indices.map(String.init) }
}

/// Fowler, Noll and Vo's hash of 64 bits: for telling things apart, not against forgers.
package struct FNV1a {
  package private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

  package mutating func add(_ byte: UInt8) { value = (value ^ UInt64(byte)) &* 0x100_0000_01b3 }

  package init() {}

  package static func hash(_ bytes: some Sequence<UInt8>) -> UInt64 {
    var hash = FNV1a()
    for byte in bytes { hash.add(byte) }
    return hash.value
  }
}
