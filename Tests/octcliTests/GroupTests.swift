import Foundation
import OctNet
import Testing

/// Flags for parts of a network beside the groups of a recipe or a settings file: what they leave out stays.
struct GroupTests {
  private static let recipe = [
    "train", "--data", "synthetic", "--recipe", "speedrun94", "--width-multiplier", "0.05", "--batch-size",
    "20", "--limit-train", "60", "--limit-test", "20", "--epochs", "1", "--no-tensorboard",
  ]

  private func groups(_ runner: CommandRunner, _ run: String, _ flags: [String]) throws -> [ParameterGroup] {
    let outcome = try runner.run(flags + ["--out", runner.path(run)])
    try #require(outcome.status == 0, "\(outcome.errors)")
    return try TrainingConfiguration(path: runner.path(run + "/config.json")).parameterGroups ?? []
  }

  private func recipeGroups() throws -> [ParameterGroup] {
    let recipe = TrainingConfiguration.recipe(named: "speedrun94", data: "synthetic", threads: 1)
    let groups = try #require(recipe?.parameterGroups)
    #expect(groups.count == 4 && groups[0].kinds == [.filters] && groups[3].modules == ["head"])
    return groups
  }

  @Test func aRateScaleKeepsWhatTheRecipeSaysOfThePart() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let present = try recipeGroups()
    // What is of the head and of an earlier group is that group's; nothing of it can be left behind the recipe's own.
    var expected: [ParameterGroup] = []
    for index in [0, 2, 3] {
      var group = present[index]
      group.modules = ["head"]
      group.learningRateScale *= 2
      expected.append(group)
    }
    #expect(expected[2] == ParameterGroup("head", learningRateScale: 1.34, weightDecay: 0.004 / 0.67))
    #expect(
      try groups(runner, "run", Self.recipe + ["--rate-scale", "head=2"]) == expected + present)
  }

  /// Saying what is so already changes no bit, for any number of flags; saying something else does.
  @Test func whatFlagsLeaveOutIsTrainedAsBefore() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    func weights(_ run: String, _ flags: [String]) throws -> Data {
      _ = try groups(runner, run, Self.recipe + flags)
      return try runner.data(run + "/last.safetensors")
    }
    let plain = try weights("plain", [])
    let same = [
      "--group", "filters:rate=1", "--group", "whiten+biases:optimizer=sgd,momentum=0.85", "--group",
      "body:rate=1", "--rate-scale", "head=1",
    ]
    #expect(try weights("same", same) == plain)
    #expect(try weights("scaled", ["--rate-scale", "head=2"]) != plain)
    #expect(try weights("slower", ["--group", "filters:optimizer=muon,momentum=0.5"]) != plain)
  }

  @Test func anOptimizerOfTheSameNameKeepsItsOtherSettings() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let present = try recipeGroups()
    let found = try groups(
      runner, "run",
      Self.recipe + [
        "--group", "filters:optimizer=muon,momentum=0.5", "--group", "head:optimizer=sgd,momentum=0,decay=0",
        "--group", "norms:optimizer=adam,epochs=0.5",
      ])
    var filters = present[0]
    filters.optimizer = .muon(momentum: 0.5, nesterov: true, iterations: 3, normalizesWeights: true)
    #expect(found.first == filters)
    // The run's optimizer has Nesterov's momentum, of which nothing is left without momentum.
    let head = ParameterGroup(
      "head", learningRateScale: 0.67, weightDecay: 0, optimizer: .sgd(momentum: 0, nesterov: false))
    #expect(found.contains(head))
    var norms = present[2]
    (norms.kinds, norms.optimizer, norms.epochs) = ([.norms], .adam, 0.5)
    #expect(found.contains(norms))
    #expect(found.suffix(4) == present[...])
  }

  @Test func groupsOfAFileStayToo() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let file = runner.path("settings.yaml")
    let text = """
      parameterGroups:
        - {kinds: [filters], optimizer: {name: muon, momentum: 0.6, iterations: 2}, epochs: 0.5}
        - {modules: [fc], learningRateScale: 10, weightDecay: 0}
      """
    try Data(text.utf8).write(to: URL(fileURLWithPath: file))
    let found = try groups(
      runner, "run",
      ["train", "--config", file, "--epochs", "1"] + CommandRunner.tiny + [
        "--group", "fc.bias:decay=0.1", "--group", "layer1:optimizer=muon,momentum=0.7",
      ])
    let present = [
      ParameterGroup(
        kinds: [.filters],
        optimizer: .muon(momentum: 0.6, nesterov: true, iterations: 2, normalizesWeights: false),
        epochs: 0.5),
      ParameterGroup("fc", learningRateScale: 10, weightDecay: 0),
    ]
    #expect(
      found == [
        // A bias that is one of the filters: the program cannot know that there is none.
        ParameterGroup(
          "fc.bias", kinds: [.filters], weightDecay: 0.1, optimizer: present[0].optimizer, epochs: 0.5),
        ParameterGroup("fc.bias", learningRateScale: 10, weightDecay: 0.1),
        ParameterGroup(
          "layer1", kinds: [.filters],
          optimizer: .muon(momentum: 0.7, nesterov: true, iterations: 2, normalizesWeights: false),
          epochs: 0.5),
        ParameterGroup(
          "layer1",
          optimizer: .muon(momentum: 0.7, nesterov: true, iterations: 5, normalizesWeights: false)),
      ] + present)
  }

  /// A name that the network does not have is no flag without effect.
  @Test(arguments: ["neck=2", "head.nothing=2"]) func unknownNamesAreErrors(scale: String) throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let outcome = try runner.run(Self.recipe + ["--out", runner.path("run"), "--rate-scale", scale])
    let name = scale.prefix { $0 != "=" }
    #expect(outcome.errorMessage == "modules: the network has no parameters called \(name)")
    #expect(!FileManager.default.fileExists(atPath: runner.path("run")))
  }
}
