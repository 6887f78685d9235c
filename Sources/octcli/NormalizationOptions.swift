import ArgumentParser
import OctNet

/// Per-channel normalisation of pixels in 0 ... 1.
struct NormalizationOptions: ParsableArguments {
  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp(
      "Mean of each channel, pixels being 0 to 1 (default: the data's own).", valueName: "r g b"))
  var mean: [NumberList] = []

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp("Standard deviation of each channel (default: the data's own).", valueName: "r g b"))
  var std: [NumberList] = []

  func validate() throws {
    guard mean.isEmpty == std.isEmpty else { throw ValidationError("--mean and --std belong together") }
    let (means, deviations) = (mean.flatMap(\.values), std.flatMap(\.values))
    guard means.count == deviations.count else {
      throw ValidationError("--mean has \(means.count) numbers and --std \(deviations.count)")
    }
    guard deviations.allSatisfy({ $0 > 0 }) else { throw ValidationError("--std takes numbers above 0") }
  }

  var normalization: Normalization? {
    mean.isEmpty ? nil : Normalization(mean: mean.flatMap(\.values), std: std.flatMap(\.values))
  }
}

/// "0.5" or "0.5,0.4,0.3": so that `--mean .5 .4 .3` and `--mean .5,.4,.3` both work.
struct NumberList: ExpressibleByArgument {
  let values: [Float]

  init?(argument: String) {
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
    values = parts.compactMap { Float($0) }.filter(\.isFinite)
    guard values.count == parts.count else { return nil }
  }
}
