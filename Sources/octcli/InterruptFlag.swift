import Foundation
import Synchronization

/// Turns the first Ctrl-C (or SIGTERM) into a request to stop after the current step; the second one kills as usual.
enum InterruptFlag {
  private static let flag = Atomic<Bool>(false)

  static var isSet: Bool { flag.load(ordering: .relaxed) }

  static func install() {
    // Read once here: a signal handler must not be the first to initialise it.
    _ = isSet
    var blocked = sigset_t()
    sigemptyset(&blocked)
    for number in [SIGINT, SIGTERM] {
      sigaddset(&blocked, number)
      signal(number) { number in
        InterruptFlag.flag.store(true, ordering: .relaxed)
        signal(number, SIG_DFL)
      }
    }
    // A process inherits what the thread that started it had blocked, as Dispatch's workers do.
    pthread_sigmask(SIG_UNBLOCK, &blocked, nil)
  }
}
