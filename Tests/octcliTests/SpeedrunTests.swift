import Foundation
import OctNet
import Testing

/// The recipe and its pieces from the command line, with a narrow network on few images.
struct SpeedrunTests {
  private static let narrow = [
    "--data", "synthetic", "--recipe", "speedrun94", "--width-multiplier", "0.05", "--batch-size", "20",
    "--limit-train", "60", "--limit-test", "20", "--no-tensorboard",
  ]

  private struct Scores: Decodable { let loss: Double }

  @Test(arguments: ["0", "0.5"]) func theRecipeTrainsAndGoesOn(alpha: String) throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let arguments = ["train"] + Self.narrow + ["--alpha", alpha, "--epochs", "2.4"]
    let whole = try runner.run(arguments + ["--out", runner.path("whole")])
    try #require(whole.status == 0, "\(whole.errors)")
    // Two epochs of three steps, and two of the last: ⌈1.2⌉.
    #expect(whole.output.contains("\n3 epochs, 8 steps, "))
    let line = try #require(whole.output.split(separator: "\n").first { $0.contains("to the score") })
    #expect(
      line.hasSuffix(" s from the start of training to the score, evaluations between epochs not counted"))
    #expect(Double(line.prefix { $0 != " " }).map { $0 > 0 } == true)
    let configuration = try TrainingConfiguration(path: runner.path("whole/config.json"))
    #expect(
      configuration.epochs == 3 && configuration.testViews == .six && configuration.lossReduction == .sum)
    #expect(configuration.model?.name == "airbench94" && configuration.parameterGroups?.count == 4)

    // As its own settings file, with another number of threads: the same bytes.
    let again = try runner.run([
      "train", "--config", runner.path("whole/config.json"), "--out", runner.path("again"), "--threads", "3",
      "--no-tensorboard",
    ])
    try #require(again.status == 0, "\(again.errors)")
    for file in ["log.csv", "results.json", "last.safetensors"] {
      #expect(try runner.data("again/" + file) == runner.data("whole/" + file), "\(file)")
    }
    let longer = try runner.run("train", "--resume", runner.path("whole"), "--epochs", "5")
    #expect(longer.errorMessage?.hasPrefix("epochs: the run ends in the middle of epoch 3") == true)

    // The run's last evaluation is that of six views.
    func loss(_ views: String) throws -> Double {
      let outcome = try runner.run(
        "eval", "--json", "--checkpoint", runner.path("whole/last.safetensors"), "--limit-test", "20",
        "--views", views)
      try #require(outcome.status == 0, "\(outcome.errors)")
      return try JSONDecoder().decode(Scores.self, from: Data(outcome.output.utf8)).loss
    }
    let last = try RunResults(path: runner.path("whole/results.json")).last?.evaluation.loss
    let (six, two, one) = (try loss("6"), try loss("2"), try loss("1"))
    #expect(six == last)
    #expect(two != six)
    #expect(one != six)
    let three = try runner.run(
      "eval", "--checkpoint", runner.path("whole/last.safetensors"), "--views", "3")
    #expect(three.status == 64)
  }

  @Test func groupsAndMuonAsFlags() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    try runner.train(
      "run",
      [
        "--optimizer", "muon", "--newton-schulz", "3", "--normalize-weights", "--loss-reduction", "sum",
        "--group", "conv1+filters:rate=0.5,optimizer=muon,momentum=0.6,iterations=2",
        "--group", "biases+norms:optimizer=sgd,nesterov=true,decay=0,epochs=0.5", "--rate-scale", "fc=0.1",
        "--augment", "crop:2:reflect,flip:alternate",
      ])
    let configuration = try TrainingConfiguration(path: runner.path("run/config.json"))
    #expect(
      configuration.optimizer == .muon(momentum: 0.95, nesterov: true, iterations: 3, normalizesWeights: true)
    )
    #expect(configuration.lossReduction == .sum)
    #expect(
      configuration.parameterGroups == [
        ParameterGroup(
          "conv1", kinds: [.filters], learningRateScale: 0.5,
          optimizer: .muon(momentum: 0.6, nesterov: true, iterations: 2, normalizesWeights: true)),
        ParameterGroup(
          kinds: [.biases, .norms], weightDecay: 0, optimizer: .sgd(momentum: 0.9, nesterov: true),
          epochs: 0.5),
        ParameterGroup("fc", learningRateScale: 0.1),
      ])
    var augmentation = Augmentation(cropPadding: 2, horizontalFlip: true)
    (augmentation.flipsAlternately, augmentation.reflectsBorder) = (true, true)
    #expect(configuration.augmentation == augmentation)
  }

  @Test(arguments: [
    ["--group", "filters"], ["--group", "filters:rate=x"], ["--group", ":rate=1"], ["--group", "fc:speed=1"],
    ["--group", "fc:momentum=0.5"], ["--group", "fc:optimizer=adam,momentum=0.5"],
    ["--group", "fc:optimizer=sgd,iterations=3"], ["--group", "fc:epochs=0"], ["--group", "fc:rate=-1"],
    ["--group", "a++b:rate=1"], ["--epochs", "0.0"], ["--epochs", "-1.5"], ["--epochs", "many"],
    ["--newton-schulz", "3", "--optimizer", "sgd"], ["--newton-schulz", "21", "--optimizer", "muon"],
    ["--normalize-weights", "--optimizer", "adam"], ["--normalize-weights"], ["--test-views", "4"],
    ["--augment", "crop:2:mirror"], ["--augment", "flip:always"], ["--loss-reduction", "median"],
  ])
  func wrongUsage(flags: [String]) throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let outcome = try runner.run(["train", "--out", runner.path("run")] + flags)
    #expect(outcome.status == 64, "\(flags): \(outcome.errors)")
  }

  @Test(arguments: [
    ("filters", "found no colon"), ("fc:speed=1", "nesterov, iterations or normalize, found \"speed\""),
    ("filters:rate=x", "rate: expected a number, found \"x\""),
    ("fc:rate", "expected key=value, found \"rate\""),
    ("fc:optimizer=lion", "optimizer: expected one of sgd, adam, adamw, muon, found \"lion\""),
    ("fc:momentum=0.5", "found no optimizer"), ("fc:optimizer=sgd,iterations=3", "found optimizer=sgd"),
  ])
  func groupsSayWhatIsWrong(group: String, problem: String) throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let outcome = try runner.run("train", "--out", runner.path("run"), "--group", group)
    #expect(outcome.status == 64 && outcome.errors.contains(problem), "\(outcome.errors)")
  }

  @Test func reflectingMoreThanThereIsIsAnError() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let outcome = try runner.run("train", "--out", runner.path("run"), "--augment", "crop:32:reflect")
    #expect(outcome.errorMessage?.contains("cropPadding: expected less than 32 reflected pixels") == true)
  }
}
