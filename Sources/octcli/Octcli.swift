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
      64 when the command line is wrong.
      """,
    version: "0.1.0",
    subcommands: [
      TrainCommand.self, EvalCommand.self, PredictCommand.self, StudyCommand.self, ReportCommand.self,
      SummaryCommand.self, BenchCommand.self,
    ])

  static func main() {
    // A reader that goes away (`octcli summary | head -1`) ends the program quietly instead of with a signal.
    signal(SIGPIPE, SIG_IGN)
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch let error as OctNetError {
      Terminal.printError("octcli: error: \(error)")
      exit(ExitCode.failure)
    } catch {
      exit(withError: error)
    }
  }

  private static func exit(_ code: ExitCode) -> Never { Foundation.exit(code.rawValue) }
}
