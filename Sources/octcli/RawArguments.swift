import OctNet

/// The command line as the system handed it over, in bytes.
///
/// A file's name may be any bytes, an argument of Swift is Unicode: what is no UTF-8 arrives repaired, as another name. So
/// it is refused here, before anything is read or written under a name that nobody gave.
enum RawArguments {
  /// - Throws: `OctNetError.file` for the first argument that is not UTF-8, with its bytes escaped.
  static func expectUnicode() throws(OctNetError) {
    for index in 1..<max(1, Int(CommandLine.argc)) {
      guard let argument = CommandLine.unsafeArgv[index], String(validatingCString: argument) == nil else {
        continue
      }
      throw OctNetError.file(
        path: escaped(argument), "argument \(index) is not UTF-8, and names of files must be; rename it")
    }
  }

  private static func escaped(_ argument: UnsafePointer<CChar>) -> String {
    var text = ""
    var position = argument
    while position.pointee != 0 {
      let byte = UInt8(bitPattern: position.pointee)
      let isPlain = (0x20..<0x7F).contains(byte) && byte != UInt8(ascii: "\\")
      let digits = String(byte, radix: 16, uppercase: true)
      text += isPlain ? String(UnicodeScalar(byte)) : "\\x" + (digits.count < 2 ? "0" : "") + digits
      position += 1
    }
    return text
  }
}
