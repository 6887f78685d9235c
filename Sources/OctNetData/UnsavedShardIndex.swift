import CTransforms
import OctNetSupport

/// The index of a shard whose folder cannot be written: a run keeps it in its own directory, and finds it there when it goes
/// on.
package struct UnsavedShardIndex: Sendable {
  /// What every index's name ends with.
  package static let ending = ".octidx"

  private let shard: FilePath
  private let bytes: [UInt8]

  package init(shard: FilePath, bytes: [UInt8]) { (self.shard, self.bytes) = (shard, bytes) }

  /// The name where indices of shards from several folders lie together.
  package static func name(of shard: FilePath) -> String {
    let file = shard.bytes[((shard.bytes.lastIndex(of: UInt8(ascii: "/")) ?? -1) + 1)...]
    let path = String(oct_crc32c(shard.bytes, shard.bytes.count), radix: 16)
    return "\(FilePath(bytes: Array(file))).\(path)\(ending)"
  }

  package func write(to path: String) throws(OctNetError) {
    do {
      try AtomicFile.write(to: path) { file in try bytes.withUnsafeBytes { try file.write($0) } }
    } catch { throw OctNetError.wrapping(error, path: path) }
  }

  /// Into a directory that is there.
  package func write(in directory: String) throws(OctNetError) {
    try write(to: "\(directory)/\(Self.name(of: shard))")
  }
}
