import Foundation
import Testing

import OctNet
@testable import OctNetTraining
@testable import OctNetReport

/// One process, or one trainer, works in a directory at a time.
@Suite struct RunLockTests {
  let directory: TemporaryDirectory
  init() throws { directory = try TemporaryDirectory() }

  private func trainer(_ run: RunDirectory, _ state: TrainingState? = nil) throws -> Trainer {
    try Trainer(
      network: TinyRun.network(), configuration: TinyRun.configuration(epochs: 1), data: TinyRun.data,
      directory: run, resuming: state)
  }

  @Test func theSecondIsToldWhoIsThere() throws {
    let run = try RunDirectory.create(directory("run"))
    #expect(directory.contents == ["run"])
    let own = "process \(getpid()) ("
    let twice = error { try RunDirectory.create(run.path) }?.description ?? ""
    #expect(twice.hasPrefix("\(run.path): in use by \(own)") && twice.contains(") on "), "\(twice)")

    let first = try trainer(run)
    let writing = error { try RunDirectory.create(run.path) }?.description ?? ""
    #expect(writing.hasPrefix("\(run.path): in use by \(own)"), "\(writing)")
    try first.run { first.position.step == 2 }

    // Given back by the end of `run`, without a trace.
    #expect(!FileManager.default.fileExists(atPath: run.path + "/" + RunLock.fileName))
    let second = try RunDirectory.open(run.path)
    #expect(error { try RunDirectory.open(run.path) }?.description.contains(own) == true)
    #expect(error { try trainer(run) }?.description.contains(own) == true)
    _ = try trainer(second, TrainingState(path: second.statePath)).run()
    #expect(throws: Never.self) { try Report(directories: [run.path]) }
  }

  @Test func aTrainerThatIsGoneHoldsNothing() throws {
    do {
      let run = try RunDirectory.create(directory("run"))
      let trainer = try trainer(run)
      #expect(throws: OctNetError.training("stop")) { try trainer.run { throw OctNetError.training("stop") } }
      _ = try RunDirectory.begin(run.path)
      try trainer.run()
    }
    do {
      let run = try RunDirectory.open(directory("run"))
      _ = try trainer(run, TrainingState(path: run.statePath))
    }
    #expect(throws: Never.self) { try RunDirectory.open(directory("run")) }
  }

  /// What a killed process leaves: a file without a lock.
  @Test func theFileAloneMeansNothing() throws {
    let path = directory("run")
    try RunDirectory.makeDirectory(path)
    try AtomicFile.write("process 1 (octcli train) on elsewhere", to: path + "/" + RunLock.fileName)
    try AtomicFile.write("half", to: path + "/.config.json.1\(AtomicFile.temporarySuffix)")
    #expect(RunLock.owner(of: path) == nil)
    let run = try RunDirectory.create(path)
    try trainer(run).run()
    #expect(try FileManager.default.contentsOfDirectory(atPath: path).allSatisfy { !$0.hasPrefix(".") })
  }

  @Test func reportsNeedNoLock() throws {
    let run = try RunDirectory.create(directory("run"))
    let trainer = try trainer(run)
    var isRead = false
    try trainer.run {
      if trainer.position.step == 3 { isRead = (try? Report(directories: [run.path])) != nil }
      return false
    }
    #expect(isRead)
  }

  /// Such as some network file systems: the run begins, and says what nobody prevents.
  @Test func aFileSystemWithoutLocks() throws {
    let lock = RunLock(path: directory.path) { _ in .unsupported("cannot lock: No locks available") }
    var warnings: [String] = []
    let trainer = try Trainer(
      network: TinyRun.network(), configuration: TinyRun.configuration(epochs: 1), data: TinyRun.data,
      directory: RunDirectory(path: directory.path, lock: lock)
    ) { if case .runStarted(let report) = $0 { warnings = report.warnings } }
    try trainer.run()
    #expect(
      warnings == [
        "\(directory.path): cannot lock: No locks available; nothing keeps a second process from writing into it"
      ])
    #expect(!directory.contents.contains(RunLock.fileName))
  }

  /// A name may be anything in a file that somebody else wrote.
  @Test func theOwnersNameIsOneLine() throws {
    let run = try RunDirectory.create(directory("run"))
    let file = try #require(FileHandle(forWritingAtPath: run.path + "/" + RunLock.fileName))
    try file.write(contentsOf: Data("process 7\n\u{1B}[2J (x)\u{7}".utf8))
    try file.truncate(atOffset: 19)
    #expect(RunLock.owner(of: run.path) == "process 7[2J (x)")
  }

  @Test func numbersAreGivenOnce() throws {
    let runs = try (0..<3).map { _ in try RunDirectory.createNumbered(directory("deep/run")) }
    #expect(runs.map(\.path) == (1...3).map { directory("deep/run-\($0)") })
  }

  // MARK: Temporary files

  @Test func abandonedFilesAreRemovedAndOthersStay() throws {
    let abandoned = ".last.safetensors.1f\(AtomicFile.temporarySuffix)"
    try AtomicFile.write("half", to: directory(abandoned))
    try AtomicFile.write("mine", to: directory("notes"))
    try AtomicFile.write(to: directory("new")) { writer in
      try writer.write("first ")
      AtomicFile.removeAbandoned(in: directory.path)
      #expect(directory.contents.count == 2 && !directory.contents.contains(abandoned))
      try writer.write("second")
    }
    #expect(directory.contents == ["new", "notes"])
    #expect(try contents(ofFile: directory("new")) == Array("first second".utf8))
  }

  /// Whoever writes a file tidies what a killed process left of it, and of no other.
  @Test func abandonedFilesOfTheSameNameGoWithTheNextWrite() throws {
    let names = [".a.1f", ".a.b.1f", ".b.1f"].map { $0 + AtomicFile.temporarySuffix }
    for name in names { try Data("half".utf8).write(to: URL(fileURLWithPath: directory(name))) }
    try AtomicFile.write("whole", to: directory("a.b"))
    #expect(Set(directory.contents) == ["a.b", names[0], names[2]])
    try AtomicFile.write("whole", to: directory("a"))
    #expect(Set(directory.contents) == ["a", "a.b", names[2]])
  }

  /// A directory, a link or a pipe of such a name is nobody's temporary file.
  @Test func whatIsNoFileStays() throws {
    let names = ["d", "l", "p"].map { $0 + AtomicFile.temporarySuffix }
    try RunDirectory.makeDirectory(directory(names[0]))
    try FileManager.default.createSymbolicLink(atPath: directory(names[1]), withDestinationPath: "/dev/null")
    try #require(mkfifo(directory(names[2]), 0o600) == 0)
    AtomicFile.removeAbandoned(in: directory.path)
    #expect(directory.contents.contains(names[0]) && directory.contents.contains(names[1]))
  }
}
