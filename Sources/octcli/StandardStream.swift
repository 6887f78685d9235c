import Foundation

/// Standard output or standard error, written with write(2): Swift's `print` keeps a failure to itself, and
/// `FileHandle` ends the process.
struct StandardStream {
  static let output = StandardStream(descriptor: STDOUT_FILENO)
  static let error = StandardStream(descriptor: STDERR_FILENO)

  let descriptor: Int32

  /// Writes all of it, however often that is interrupted or the other side is slow.
  /// - Returns: the system's number for what went wrong, nil where nothing did.
  func write(_ text: String) -> Int32? {
    var text = text
    return text.withUTF8 { bytes in
      var done = 0
      while done < bytes.count {
        let count = Foundation.write(descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done)
        if count >= 0 {
          done += count
        } else if errno == EAGAIN {
          // Whoever shares the descriptor has made it non-blocking.
          var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
          _ = poll(&request, 1, -1)
        } else if errno != EINTR {
          return errno
        }
      }
      return nil
    }
  }

  /// Asks the system about errors that it tells only at the end, as network file systems do.
  func flush() -> Int32? {
    let copy = dup(descriptor)
    guard copy >= 0 else { return errno }
    return close(copy) == 0 || errno == EINTR ? nil : errno
  }

  /// Gives descriptors 0 to 2 to nobody: where the program was started without one of them (`2>&-`), the next file that it
  /// opens would be given that number, and with it what is meant for a terminal.
  ///
  /// They are opened the wrong way around, as in gnulib's stdopen, so that writing results still fails.
  static func fillGaps() {
    for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) == -1 {
      _ = open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
    }
  }
}
