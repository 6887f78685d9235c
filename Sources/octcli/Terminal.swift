import ArgumentParser
import Foundation
import OctNet

/// All that the program says: results on standard output, progress and errors on standard error.
enum Terminal {
  // MARK: Results

  /// Prints a result and the end of its line.
  ///
  /// - Throws: `OctNetError.file` where it cannot be written. Where the reader went away (`octcli summary | head -1`), the
  ///   exit code of a program that SIGPIPE has ended, which is silent.
  static func print(_ text: String) throws {
    if let code = StandardStream.output.write(text + "\n") { throw failure(code) }
  }

  /// What the system tells only when a file is closed. Call it when all is printed.
  /// - Throws: as `print`.
  static func finish() throws {
    if let code = StandardStream.output.flush() { throw failure(code) }
  }

  private static func failure(_ code: Int32) -> any Error {
    code == EPIPE ? ExitCode(128 + SIGPIPE) : OctNetError.system("standard output", "cannot write", code)
  }

  // MARK: Progress and errors

  /// Prints one line, with all that is not printable escaped. Where it cannot be written, nobody sees it: that is no reason
  /// to give the work up.
  static func printError(_ line: String) { writeError(line.printable + "\n") }

  /// The same for text that moves the cursor.
  static func writeError(_ text: String) { _ = StandardStream.error.write(text) }

  /// Whether standard error is a terminal that can rewrite a line in place.
  static var isInteractive: Bool {
    guard isatty(STDERR_FILENO) == 1, let name = ProcessInfo.processInfo.environment["TERM"] else {
      return false
    }
    return name != "" && name != "dumb"
  }

  /// Columns of the terminal behind standard error, 80 where nobody knows.
  static var width: Int {
    var size = winsize()
    guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }
}
