import ArgumentParser
import Foundation
import OctNet

@main
struct Octcli: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "octcli",
    abstract: "Train, evaluate and measure octave convolutional networks on the CPU.",
    discussion: """
      Octave convolution keeps a fraction α of every feature map's channels at half \
      resolution. Start with `octcli train`, which needs no data and no flag and takes a \
      few minutes.

      Results are printed on standard output, progress and errors on standard error. The \
      exit code is 0 when all went well, 1 when a file, a setting or the training failed, \
      64 when the command line is wrong, 128 and a signal's number when one ended it.
      """,
    version: octNetVersion,
    subcommands: [
      TrainCommand.self, EvalCommand.self, PredictCommand.self, AugmentCommand.self, PrepareCommand.self,
      StudyCommand.self, ReportCommand.self, ConvertCommand.self, ExportCommand.self, ModelsCommand.self,
      SummaryCommand.self, BenchCommand.self,
    ])

  static func main() {
    StandardStream.fillGaps()
    StopSignals.install()
    KernelThreads.shareHeapIfLimited()
    let arguments = NumberList.joiningWords(CommandLine.arguments.dropFirst())
    var status = ExitCode.success
    do {
      var command = try Ranks.parse { try parseAsRoot(arguments) }
      try RawArguments.expectUnicode(besides: (command as? PredictCommand)?.inputs ?? [])
      try command.run()
      try Terminal.finish()
    } catch { status = tell(error, arguments: arguments) }
    Foundation.exit(status.rawValue)
  }

  /// Says what there is to say about an error, or about a request for help.
  /// - Returns: what the program ends with.
  static func tell(_ error: any Error, arguments: [String]) -> ExitCode {
    if let code = error as? ExitCode { return code }
    if let error = error as? OctNetError {
      Terminal.printError("octcli: error: \(error)")
      return .failure
    }
    let code = exitCode(for: error)
    switch code {
    case .success:
      do {
        try Terminal.print(fullMessage(for: error))
        try Terminal.finish()
        return code
      } catch { return tell(error, arguments: arguments) }
    case .validationFailure:
      let message = UsageMessage(
        fullMessage(for: error), problem: message(for: error), arguments: arguments)
      message.lines.forEach(Terminal.printError)
    default: Terminal.printError("octcli: error: \(message(for: error))")
    }
    return code
  }
}

/// What ArgumentParser says about a wrong command line: the problem, help on the flag, the usage.
struct UsageMessage {
  let lines: [String]

  /// - Parameters:
  ///   - problem: the part of `text` that quotes `arguments`, in which line ends are theirs.
  init(_ text: String, problem: String, arguments: [String]) {
    var quoted = problem
    for argument in arguments {
      // The value of --flag=value is quoted alone.
      let value = argument.drop { $0 != "=" }.dropFirst()
      for part in [argument, String(value)] where part != part.printable {
        quoted = quoted.replacingOccurrences(of: part, with: part.printable)
      }
    }
    lines = text.replacingOccurrences(of: problem, with: quoted)
      .split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
  }
}
