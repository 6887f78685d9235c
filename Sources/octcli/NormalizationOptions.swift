import ArgumentParser
import OctNet

/// Per-channel normalisation of pixels in 0 ... 1.
struct NormalizationOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Mean of each channel, pixels being 0 to 1 (default: the checkpoint's, else the data's own).",
      valueName: "r g b"))
  var mean: NumberList?

  @Option(
    help: ArgumentHelp(
      "Standard deviation of each channel (default: the checkpoint's, else the data's own).",
      valueName: "r g b"))
  var std: NumberList?

  func validate() throws {
    guard (mean == nil) == (std == nil) else { throw ValidationError("--mean and --std belong together") }
    guard let mean, let std else { return }
    guard mean.values.count == std.values.count else {
      throw ValidationError(
        "--mean has \(counted(mean.values.count, "number")) and --std \(std.values.count)")
    }
    guard std.values.allSatisfy({ $0 > 0 }) else { throw ValidationError("--std takes numbers above 0") }
  }

  var normalization: Normalization? {
    guard let mean, let std else { return nil }
    return Normalization(mean: mean.values, std: std.values)
  }
}

/// "0.5" or "0.5,0.4,0.3".
struct NumberList: ExpressibleByArgument {
  let values: [Float]

  init?(argument: String) {
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
    values = parts.compactMap { Float($0) }.filter(\.isFinite)
    guard values.count == parts.count else { return nil }
  }

  /// The flags that take one.
  private static let flags: Set = ["--mean", "--std", "--scale", "--ratio", "--color-jitter"]

  /// A command line on which the numbers that follow `--mean` and `--std` are one word: `--mean .5 .4 .3 x.jpg` means
  /// `--mean=.5,.4,.3 x.jpg`.
  ///
  /// ArgumentParser would take everything up to the next flag, and an image with it.
  static func joiningWords(_ arguments: some Sequence<String>) -> [String] {
    var words: [String] = []
    var rest = Array(arguments)[...]
    while let word = rest.popFirst() {
      if word == "--" { return words + [word] + rest }
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard flags.contains(parts[0]) else {
        words.append(word)
        continue
      }
      var numbers = Array(parts.dropFirst())
      while let next = rest.first, NumberList(argument: next) != nil {
        numbers.append(next)
        rest.removeFirst()
      }
      words.append(numbers.isEmpty ? word : parts[0] + "=" + numbers.joined(separator: ","))
    }
    return words
  }
}
