import Foundation
import OctNet

/// The command line as the system handed it over, in bytes.
///
/// A file's name may be any bytes, an argument of Swift is Unicode: what is no UTF-8 arrives repaired, as another name.
enum RawArguments {
  /// Before anything is read or written under a name that nobody gave.
  ///
  /// - Parameter images: arguments that may be any bytes, as they arrived.
  /// - Throws: `OctNetError.file` for the first other argument that is not UTF-8, with its bytes escaped.
  static func expectUnicode(besides images: [String] = []) throws(OctNetError) {
    for (index, argument) in all.enumerated().dropFirst() where !argument.isText {
      guard !images.contains(String(decoding: argument.bytes, as: UTF8.self)) else { continue }
      throw OctNetError.file(
        path: argument.escaped, "argument \(index) is not UTF-8, and names of files must be; rename it")
    }
  }

  /// The files that these arguments name.
  static func paths(_ arguments: [String]) -> [FilePath] {
    // Several names may look alike once they are repaired; they come in the same order.
    var candidates = all.filter { !$0.isText }
    return arguments.map { argument in
      guard argument.unicodeScalars.contains("\u{fffd}"),
        let index = candidates.firstIndex(where: { String(decoding: $0.bytes, as: UTF8.self) == argument })
      else { return FilePath(argument) }
      return candidates.remove(at: index)
    }
  }

  private static var all: [FilePath] {
    (0..<Int(CommandLine.argc)).compactMap { index in
      CommandLine.unsafeArgv[index].map { argument in
        FilePath(bytes: Array(UnsafeRawBufferPointer(start: argument, count: strlen(argument))))
      }
    }
  }
}

extension FilePath {
  /// Every byte but those of plain text as "\xE9".
  fileprivate var escaped: String {
    bytes.map { byte in
      let isPlain = (0x20..<0x7F).contains(byte) && byte != UInt8(ascii: "\\")
      return isPlain ? String(UnicodeScalar(byte)) : String(format: "\\x%02X", Int(byte))
    }.joined()
  }
}
