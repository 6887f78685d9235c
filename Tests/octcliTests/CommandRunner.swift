import Foundation
import Testing

/// Runs the program that was built beside these tests, as a user would.
struct CommandRunner {
  struct Outcome {
    let status: Int32
    let output, errors: String

    /// Lines on standard error.
    var errorLines: [Substring] { errors.split(separator: "\n") }

    /// The one line `octcli: error: …`, nil where the command did not end that way.
    var errorMessage: String? {
      guard status == 1, errorLines.count == 1, errors.hasSuffix("\n"),
        errors.hasPrefix("octcli: error: ")
      else { return nil }
      return String(errors.dropFirst("octcli: error: ".count).dropLast())
    }
  }

  /// A directory for files of the test, removed by `removeScratch`.
  let scratch: URL
  let program: URL

  init() throws {
    program = try #require(Self.findProgram(), "octcli is not built beside the tests")
    scratch = FileManager.default.temporaryDirectory.appendingPathComponent("octcli-" + UUID().uuidString)
    try FileManager.default.createDirectory(at: scratch, withIntermediateDirectories: true)
  }

  func removeScratch() { try? FileManager.default.removeItem(at: scratch) }

  func path(_ name: String) -> String { scratch.appendingPathComponent(name).path }

  func text(_ name: String) throws -> String { try String(contentsOfFile: path(name), encoding: .utf8) }

  /// Every regular file below `name` and its bytes.
  func contents(of name: String) throws -> [String: Data] {
    var files: [String: Data] = [:]
    for file in try FileManager.default.subpathsOfDirectory(atPath: path(name)) {
      files[file] = FileManager.default.contents(atPath: path(name + "/" + file))
    }
    return files
  }

  /// Runs to the end. Standard error is a file, so no progress bar is drawn.
  func run(_ arguments: String..., environment: [String: String] = [:]) throws -> Outcome {
    try run(arguments, environment: environment)
  }

  func run(_ arguments: [String], environment: [String: String] = [:]) throws -> Outcome {
    let started = try start(arguments, environment: environment)
    started.process.waitUntilExit()
    return try started.outcome()
  }

  /// Runs with a limit on the size of files it writes, in the shell's blocks of 512 or 1024 bytes.
  func run(_ arguments: [String], fileSizeLimitInBlocks limit: Int) throws -> Outcome {
    try run(script: "ulimit -f \(limit); exec \"$0\" \"$@\"", arguments)
  }

  /// Runs a shell's script in which `"$0" "$@"` is the program with its arguments, to give it other descriptors.
  func run(script: String, _ arguments: [String], environment: [String: String] = [:]) throws -> Outcome {
    let started = try start(script: script, arguments, environment: environment)
    started.process.waitUntilExit()
    return try started.outcome()
  }

  func start(
    script: String, _ arguments: [String], environment: [String: String] = [:]
  ) throws -> Running {
    try start(
      ["-c", script, program.path] + arguments, of: URL(fileURLWithPath: "/bin/sh"), environment: environment)
  }

  /// A run that has been started, for tests that interrupt it.
  struct Running {
    let process: Process
    let output, errors: URL

    func outcome() throws -> Outcome {
      Outcome(
        status: process.terminationStatus, output: try String(contentsOf: output, encoding: .utf8),
        errors: try String(contentsOf: errors, encoding: .utf8))
    }
  }

  func start(
    _ arguments: [String], of program: URL? = nil, environment: [String: String] = [:],
    standardError: FileHandle? = nil
  ) throws -> Running {
    // Files, not pipes: nothing blocks, however much the program prints.
    let id = UUID().uuidString
    let output = scratch.appendingPathComponent(id + ".out")
    let errors = scratch.appendingPathComponent(id + ".err")
    for file in [output, errors] { try Data().write(to: file) }
    let process = Process()
    process.executableURL = program ?? self.program
    process.arguments = arguments
    process.currentDirectoryURL = scratch
    // Several runs share the processors, so threads that wait must not spin.
    process.environment = ProcessInfo.processInfo.environment
      .merging(["OMP_WAIT_POLICY": "passive"]) { $1 }.merging(environment) { $1 }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = try FileHandle(forWritingTo: output)
    process.standardError = try standardError ?? FileHandle(forWritingTo: errors)
    try process.run()
    return Running(process: process, output: output, errors: errors)
  }

  private static func findProgram() -> URL? {
    var folders = Bundle.allBundles.map { $0.bundleURL }
    folders += folders.map { $0.deletingLastPathComponent() }
    folders += CommandLine.arguments.prefix(1).map { URL(fileURLWithPath: $0).deletingLastPathComponent() }
    return folders.map { $0.appendingPathComponent("octcli") }
      .first { FileManager.default.isExecutableFile(atPath: $0.path) }
  }
}
