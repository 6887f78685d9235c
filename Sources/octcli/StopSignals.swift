import ArgumentParser
import Foundation
import Synchronization

/// SIGINT (Ctrl-C), SIGTERM and SIGHUP (the terminal went away) end the program with 128 and their number: at once, or
/// where work would be lost, as soon as that is safe. A container's first process would not be ended by them otherwise.
enum StopSignals {
  private static let first = Atomic<Int32>(0)
  private static let isDeferring = Atomic<Bool>(false)
  private static let hasInsisted = Atomic<Bool>(false)

  static func install() {
    // Read once here: a signal handler must not be the first to initialise them.
    _ = (isRequested, isDeferring.load(ordering: .relaxed), hasInsisted.load(ordering: .relaxed))
    var blocked = sigset_t()
    sigemptyset(&blocked)
    for number in [SIGINT, SIGTERM, SIGHUP] {
      let previous = signal(number) { StopSignals.handle($0) }
      sigaddset(&blocked, number)
      // nohup's wish.
      if number == SIGHUP && bits(previous) == bits(SIG_IGN) { signal(number, SIG_IGN) }
    }
    // A process inherits what the thread that started it had blocked, as Dispatch's workers do.
    pthread_sigmask(SIG_UNBLOCK, &blocked, nil)
    // Failed writes instead of signals: a reader that went away, a limit on the size of files.
    signal(SIGPIPE, SIG_IGN)
    signal(SIGXFSZ, SIG_IGN)
  }

  /// From now on the first signal is only a request, which `isRequested` tells. The second one ends the program as before;
  /// but not SIGHUP, which terminals and shells send several times.
  static func deferFirst() { isDeferring.store(true, ordering: .relaxed) }

  static var isRequested: Bool { first.load(ordering: .relaxed) != 0 }

  /// Of a program that stopped on request: 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP.
  static var exitCode: ExitCode { exitCode(after: number) }

  static func exitCode(after number: Int32) -> ExitCode { ExitCode(128 + number) }

  /// Of the first one that was deferred, 0 before it.
  static var number: Int32 { first.load(ordering: .relaxed) }

  private static func handle(_ number: Int32) {
    guard isDeferring.load(ordering: .relaxed) else { _exit(128 + number) }
    _ = first.compareExchange(expected: 0, desired: number, ordering: .relaxed)
    guard number != SIGHUP else { return }
    if hasInsisted.exchange(true, ordering: .relaxed) { _exit(128 + number) }
  }

  /// Handlers can only be compared so.
  private static func bits(_ handler: (@convention(c) (Int32) -> Void)?) -> Int {
    unsafeBitCast(handler, to: Int.self)
  }
}
