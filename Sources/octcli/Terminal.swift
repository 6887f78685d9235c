import Foundation

/// Standard output and standard error, and what is known about the terminal behind the latter.
enum Terminal {
  /// Whether standard error is a terminal, where a line may be rewritten in place.
  static var isInteractive: Bool { isatty(STDERR_FILENO) == 1 }

  /// Columns of the terminal behind standard error, 80 where nobody knows.
  static var width: Int {
    var size = winsize()
    guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }

  static func printError(_ line: String) { writeError(line + "\n") }

  static func writeError(_ text: String) {
    FileHandle.standardError.write(Data(text.utf8))
  }
}
