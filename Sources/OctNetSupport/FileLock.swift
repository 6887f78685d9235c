#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The system's locks of whole files (`flock`), which end with the process that holds them.
package enum FileLock {
  package enum Outcome {
    case held, taken
    case unsupported(String)
  }

  /// Tries to lock an open file for as long as it is open.
  package static func lock(_ descriptor: Int32) -> Outcome {
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      switch errno {
      case EINTR: continue
      case EWOULDBLOCK: return .taken
      case let code: return .unsupported("cannot lock: " + String(cString: strerror(code)))
      }
    }
    return .held
  }

  /// Whether a locked file is the one of that name: its last owner may have removed it since it was opened.
  package static func isStill(_ descriptor: Int32, _ path: String) -> Bool {
    var (own, named) = (stat(), stat())
    return fstat(descriptor, &own) == 0 && lstat(path, &named) == 0 && own.st_ino == named.st_ino
      && own.st_dev == named.st_dev
  }
}
