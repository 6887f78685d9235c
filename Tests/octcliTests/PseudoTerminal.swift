import Foundation
import Testing

/// A terminal that is not there: what is written to its slave side is collected from the master.
///
/// Unchecked: `data` is only touched under `lock`.
final class PseudoTerminal: @unchecked Sendable {
  private let master: Int32
  /// For the program.
  let slave: FileHandle
  private let lock = NSLock()
  private var data = Data()
  private let isDone = DispatchSemaphore(value: 0)

  init(columns: Int) throws {
    let descriptors = try Self.open()
    master = descriptors.master
    var size = winsize(ws_row: 24, ws_col: UInt16(columns), ws_xpixel: 0, ws_ypixel: 0)
    try #require(ioctl(descriptors.slave, UInt(TIOCSWINSZ), &size) == 0)
    slave = FileHandle(fileDescriptor: descriptors.slave, closeOnDealloc: true)
    Thread { [self] in
      collect()
      isDone.signal()
    }.start()
  }

  /// Both sides, by Linux's own calls: Glibc's module has no `posix_openpt`.
  static func open() throws -> (master: Int32, slave: Int32) {
    let (setLock, getNumber): (UInt, UInt) = (0x4004_5431, 0x8004_5430)  // TIOCSPTLCK, TIOCGPTN
    let master = Foundation.open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
    var number: Int32 = 0
    try #require(master >= 0 && ioctl(master, setLock, &number) == 0)
    try #require(ioctl(master, getNumber, &number) == 0)
    let slave = Foundation.open("/dev/pts/\(number)", O_RDWR | O_NOCTTY | O_CLOEXEC)
    try #require(slave >= 0)
    return (master, slave)
  }

  /// Until nobody has the slave open.
  private func collect() {
    var bytes = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = read(master, &bytes, bytes.count)
      if count > 0 { lock.withLock { data.append(contentsOf: bytes[..<count]) } } else { return }
    }
  }

  /// Everything so far.
  var text: String { lock.withLock { String(decoding: data, as: UTF8.self) } }

  /// Everything, once the program has ended.
  func finish() -> String {
    try? slave.close()
    isDone.wait()
    close(master)
    return text
  }

  /// What the terminal shows of a line: after the last time that it was begun anew.
  static func shown(_ text: String) -> [String] {
    text.replacingOccurrences(of: "\r\n", with: "\n").split(separator: "\n").map { line in
      let last = line.replacingOccurrences(of: "\u{1b}[2K", with: "").split(separator: "\r").last
      return last.map(String.init) ?? ""
    }
  }
}
