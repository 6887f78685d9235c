import Foundation
import OctNet
import Testing

struct EvalTests {
  struct Scores: Decodable, Equatable {
    let top1, top5, loss: Double
    let images: Int
    let perClassAccuracy: [Double?]
    let classNames: [String]
    let confusion: [[Int]]
  }

  private func scores(_ runner: CommandRunner, _ arguments: String...) throws -> Scores {
    let outcome = try runner.run(["eval", "--json"] + arguments)
    try #require(outcome.status == 0, "\(outcome.errors)")
    // Of somebody else's file nothing tells which class is which.
    #expect(outcome.errors == "" || outcome.errors.hasSuffix(": its classes are taken by number\n"))
    return try JSONDecoder().decode(Scores.self, from: Data(outcome.output.utf8))
  }

  /// The table goes where the shell sends it, behind what is there.
  @Test func predictionsGoToRedirectedOutput() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    try runner.train("run", epochs: 1)
    let outcome = try runner.run(
      script: "echo before > all.txt; exec \"$0\" \"$@\" >> all.txt",
      [
        "eval", "--checkpoint", "run/last.safetensors", "--limit-test", "10", "--predictions", "/dev/stdout",
      ])
    #expect(outcome.status == 0, "\(outcome.errors)")
    let lines = try runner.text("all.txt").split(separator: "\n")
    #expect(lines.first == "before" && lines.contains { $0.hasPrefix("index,label,logit_0") })
    #expect(lines.count(where: { $0.first?.isNumber == true && $0.contains(",") }) >= 10)
  }

  @Test func scoresAreThoseOfTheLogAndOfThePredictions() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    try runner.train("run")
    let file = runner.path("predictions.csv")
    let scores = try scores(
      runner, "--checkpoint", runner.path("run/last.safetensors"), "--limit-test", "40", "--predictions", file
    )
    #expect(scores.images == 40)
    #expect(scores.classNames.count == 10 && scores.perClassAccuracy.count == 10)
    #expect(scores.confusion.joined().reduce(0, +) == 40)

    let log = try runner.logRows("run")[0].split(separator: ",").compactMap { Double($0) }
    #expect(abs(log[3] - scores.loss) < 1e-4 * scores.loss)
    #expect(abs(log[4] - scores.top1) < 1e-5)
    #expect(abs(log[5] - scores.top5) < 1e-5)

    let lines = try runner.text("predictions.csv").split(separator: "\n")
    #expect(lines[0] == "index,label," + (0..<10).map { "logit_\($0)" }.joined(separator: ","))
    #expect(lines.count == 1 + 40)
    var (top1, top5, loss) = (0, 0, 0.0)
    for (index, line) in lines.dropFirst().enumerated() {
      let cells = line.split(separator: ",")
      #expect(cells.count == 12)
      #expect(Int(cells[0]) == index)
      let label = try #require(Int(cells[1]))
      let logits = try cells.dropFirst(2).map { try #require(Double($0)) }
      // 9 significant digits restore the float exactly.
      #expect(cells.dropFirst(2).allSatisfy { Self.significantDigits($0) <= 9 })
      let rank = logits.filter { $0 > logits[label] }.count
      top1 += rank < 1 ? 1 : 0
      top5 += rank < 5 ? 1 : 0
      loss += Foundation.log(logits.map { exp($0 - logits[label]) }.reduce(0, +))
    }
    #expect(Double(top1) / 40 == scores.top1)
    #expect(Double(top5) / 40 == scores.top5)
    #expect(abs(loss / 40 - scores.loss) < 1e-5)
    // Short numbers would hide a loss of precision.
    #expect(
      lines.dropFirst().joined(separator: ",").split(separator: ",").contains {
        Self.significantDigits($0) == 9
      })
  }

  private static func significantDigits(_ number: Substring) -> Int {
    let mantissa = number.prefix { $0 != "e" && $0 != "E" }.filter(\.isNumber)
    return mantissa.drop { $0 == "0" }.count
  }

  @Test func theTableNamesEveryClass() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    try runner.train("run")
    let outcome = try runner.run(
      "eval", "--checkpoint", runner.path("run/best.safetensors"), "--limit-test", "20")
    #expect(outcome.status == 0)
    let lines = outcome.output.split(separator: "\n")
    #expect(lines.first?.hasPrefix("top-1 ") == true && lines.first?.hasSuffix(" on 20 images") == true)
    #expect(lines.count == 2 + 10)
  }

  @Test func anothersFileNeedsTheNetworkSaid() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    try runner.train("run")
    let own = runner.path("run/last.safetensors")
    let foreign = runner.path("foreign.safetensors")
    var file = try SafetensorsFile(path: own)
    file.metadata = [:]
    try file.write(to: foreign)

    let unsaid = try runner.run("eval", "--checkpoint", foreign, "--data", "synthetic")
    #expect(try #require(unsaid.errorMessage, "\(unsaid)").contains("--model"))

    let expected = try scores(runner, "--checkpoint", own, "--limit-test", "40")
    let found = try scores(
      runner, "--checkpoint", foreign, "--data", "synthetic", "--limit-test", "40", "--model", "resnet20",
      "--alpha",
      "0.25", "--stem", "cifar", "--downsampling", "average", "--variant", "paper")
    #expect(found == expected)

    // Another α has other shapes.
    let wrong = try runner.run(
      "eval", "--checkpoint", foreign, "--data", "synthetic", "--model", "resnet20", "--alpha", "0.5")
    let message = try #require(wrong.errorMessage, "\(wrong)")
    #expect(
      message.hasPrefix(
        "\(foreign): the state dictionary does not fit the network: it is of α = 0.25, the network of α = 0.5; "
      ))
    #expect(message.hasSuffix("; try --alpha 0.25") && message.utf8.count < 1000)
  }

  @Test func damagedAndMissingFilesAreNamed() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    try runner.train("run")
    let whole = try runner.data("run/last.safetensors")
    var header = whole
    header[header.startIndex + 9] = UInt8(ascii: "?")
    let files: [(String, Data?)] = [
      ("truncated", whole.dropLast(1)), ("oversized", whole + Data([0])), ("header", header),
      ("empty", Data()), ("short", whole.prefix(20)), ("missing", nil),
    ]
    for (name, bytes) in files {
      let path = runner.path(name + ".safetensors")
      try bytes?.write(to: URL(fileURLWithPath: path))
      let outcome = try runner.run(
        "eval", "--checkpoint", path, "--json", "--predictions", runner.path("predictions.csv"))
      let message = try #require(outcome.errorMessage, "\(name): \(outcome)")
      #expect(message.hasPrefix(path + ": "))
      #expect(outcome.output == "")
      #expect(!FileManager.default.fileExists(atPath: runner.path("predictions.csv")))
    }
  }

  @Test func unwritablePredictionsAreAnErrorAndNothingIsPrinted() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    try runner.train("run")
    let outcome = try runner.run(
      "eval", "--checkpoint", runner.path("run/last.safetensors"), "--limit-test", "4", "--predictions",
      "/dev/null/predictions.csv")
    #expect(try #require(outcome.errorMessage, "\(outcome)").contains("/dev/null/predictions.csv"))
    #expect(outcome.output == "")
  }

  @Test(arguments: [
    [], ["--checkpoint", "x", "--frobnicate"], ["--checkpoint", "x", "--alpha", "0.5"],
    ["--checkpoint", "x", "--stem", "cifar"], ["--checkpoint", "x", "--limit-test", "-1"],
    ["--checkpoint", "x", "--mean", "a", "--std", "1"],
  ])
  func wrongUsage(arguments: [String]) throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let outcome = try runner.run(["eval"] + arguments)
    #expect(outcome.status == 64)
    #expect(outcome.output == "")
  }
}
