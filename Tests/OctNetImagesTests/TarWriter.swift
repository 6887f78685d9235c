/// Makes tars: ustar entries, and headers of any kind.
enum TarWriter {
  static let end = [UInt8](repeating: 0, count: 1024)

  static func file(_ entries: [(String, [UInt8])]) -> [UInt8] {
    entries.flatMap { entry($0.0, $0.1) } + end
  }

  /// A header and its content; `size` says another length, `change` is made before the checksum.
  static func entry(
    _ name: String, _ content: [UInt8] = [], type: Character = "0", size: Int? = nil,
    _ change: (inout [UInt8]) -> Void = { _ in }
  ) -> [UInt8] {
    var block = [UInt8](repeating: 0, count: 512)
    func write(_ text: String, at place: Int) {
      for (offset, byte) in text.utf8.enumerated() { block[place + offset] = byte }
    }
    func octal(_ number: Int, _ digits: Int) -> String {
      let text = String(number, radix: 8)
      return String(repeating: "0", count: digits - text.count) + text
    }
    write(name, at: 0)
    write("0000644", at: 100)
    write(octal(size ?? content.count, 11), at: 124)
    write(String(repeating: " ", count: 8), at: 148)
    write(String(type), at: 156)
    write("ustar", at: 257)
    write("00", at: 263)
    change(&block)
    write(octal(block.reduce(0) { $0 + Int($1) }, 6) + "\0 ", at: 148)
    return block + content + [UInt8](repeating: 0, count: (512 - content.count % 512) % 512)
  }
}
