import Foundation
import Testing

import OctNet

@Suite struct TrainingConfigurationTests {
  let directory: TemporaryDirectory
  init() throws { directory = try TemporaryDirectory() }

  @Test func fileRoundTrip() throws {
    var configuration = TinyRun.configuration()
    configuration.model = ModelConfiguration(name: "resnet20", alpha: 0.125)
    configuration.weightDecay = 0.1  // not exact in binary
    configuration.seed = .max
    configuration.clipGradientNorm = 0.3
    try configuration.write(to: directory("config.json"))
    #expect(try TrainingConfiguration(path: directory("config.json")) == configuration)
  }

  @Test func theSeedsRecipe() throws {
    let recipe = try #require(TrainingConfiguration.recipe(named: "seed", data: "cifar10:x", threads: 2))
    try recipe.validate()
    #expect(
      recipe.model == ModelConfiguration(name: "resnet50", alpha: 0.125, stem: .imagenet, variant: .seed))
    #expect(recipe.optimizer == .adam(beta1: 0.9, beta2: 0.999, epsilon: 1e-8))
    #expect(recipe.schedule == LearningRateSchedule(base: 1e-3))
    #expect(recipe.weightDecay == 5e-4 && recipe.epochs == 50 && recipe.batchSize == 100)
    #expect(recipe.augmentation == Augmentation(cropPadding: 4, horizontalFlip: true))
    #expect(recipe.normalization.mean == [0.507, 0.487, 0.441])
    #expect(recipe.normalization.std == [0.267, 0.256, 0.276])
    #expect(TrainingConfiguration.recipe(named: "none", data: "", threads: 1) == nil)
  }

  /// Unknown, missing, repeated and mistyped keys.
  @Test func malformedFilesAreNamed() throws {
    let path = directory("config.json")
    try TinyRun.configuration().write(to: path)
    let text = String(decoding: try contents(ofFile: path), as: UTF8.self)
    func problem(replacing old: String, with new: String) throws -> String {
      #expect(text.contains(old))
      _ = try directory.write(Array(text.replacingOccurrences(of: old, with: new).utf8), as: "changed.json")
      guard
        case .file(_, let problem) = error(of: { try TrainingConfiguration(path: directory("changed.json")) })
      else { return "no error" }
      return problem
    }
    #expect(
      try problem(replacing: #""epochs" : 3"#, with: #""epochs" : 3, "epoch" : 3"#)
        .hasPrefix("unknown key \"epoch\", expected one of "))
    #expect(
      try problem(replacing: #""nesterov" : false"#, with: #""nesterov" : false, "beta1" : 1"#)
        == "unknown key \"optimizer.beta1\", expected one of momentum, name, nesterov")
    #expect(
      try problem(replacing: #""epochs" : 3"#, with: #""epochs" : 3, "epochs" : 3"#)
        .contains("duplicate key \"epochs\""))
    #expect(
      try problem(replacing: #""epochs" : 3"#, with: #""epochs" : "3""#)
        == #"epochs: expected a whole number, found "3""#)
    #expect(try problem(replacing: #""epochs" : 3,"#, with: "") == "key \"epochs\" is missing")
    #expect(
      try problem(replacing: #""name" : "sgd""#, with: #""name" : "lion""#)
        == "optimizer.name: expected one of sgd, adam, adamw, muon, found \"lion\"")
    #expect(
      try problem(replacing: #""name" : "cosine""#, with: #""name" : "line""#)
        == "schedule.shape.name: expected one of constant, step, cosine, linear, found \"line\"")
    #expect(try problem(replacing: "}", with: "").hasPrefix("byte "))
    #expect(
      error { try TrainingConfiguration(path: directory("none")) }
        == .file(path: directory("none"), "cannot open: No such file or directory"))
  }

  @Test func valuesOutOfRangeAreNamed() {
    func problem(_ change: (inout TrainingConfiguration) -> Void) -> OctNetError? {
      var configuration = TinyRun.configuration()
      change(&configuration)
      return error { try configuration.validate() }
    }
    func expect(_ key: String, _ text: String, _ change: (inout TrainingConfiguration) -> Void) {
      #expect(problem(change) == .configuration(key: key, text))
    }
    #expect(problem { _ in } == nil)
    expect("epochs", "expected 1 or more, found 0") { $0.epochs = 0 }
    expect("batchSize", "expected 1 or more, found -1") { $0.batchSize = -1 }
    expect("threads", "expected 1 or more, found 0") { $0.threads = 0 }
    expect("trainLimit", "expected 1 or more, found 0") { $0.trainLimit = 0 }
    expect("testLimit", "expected 1 or more, found 0") { $0.testLimit = 0 }
    expect("checkpointEverySteps", "expected 1 or more, found 0") { $0.checkpointEverySteps = 0 }
    expect("weightDecay", "expected 0 or more, found -1.0") { $0.weightDecay = -1 }
    expect("weightDecay", "expected 0 or more, found nan") { $0.weightDecay = .nan }
    expect("parameterGroups.weightDecay", "expected 0 or more, found -1.0") {
      $0.parameterGroups = [ParameterGroup("fc", weightDecay: -1)]
    }
    expect("parameterGroups.optimizer.beta1", "expected 0 or more and less than 1, found 1.0") {
      $0.parameterGroups = [ParameterGroup("fc", optimizer: .adam(beta1: 1, beta2: 0, epsilon: 1))]
    }
    expect("labelSmoothing", "expected 0 or more and less than 1, found 1.0") { $0.labelSmoothing = 1 }
    expect("clipGradientNorm", "expected a number above 0, found 0.0") { $0.clipGradientNorm = 0 }
    expect("augmentation.cropPadding", "expected 0 or more, found -1") { $0.augmentation.cropPadding = -1 }
    expect("std", "found 0.0, expected a number above 0") {
      $0.normalization = Normalization(mean: [0.5], std: [0])
    }
    expect("std", "found 0 values, expected one for each of 1 channel") {
      $0.normalization = Normalization(mean: [0.5], std: [])
    }
    expect("momentum", "expected 0 or more and less than 1, found 1.0") {
      $0.optimizer = .sgd(momentum: 1, nesterov: false)
    }
    expect("momentum", "expected more than 0 with nesterov, found 0.0") {
      $0.optimizer = .sgd(momentum: 0, nesterov: true)
    }
    expect("beta2", "expected 0 or more and less than 1, found 1.0") {
      $0.optimizer = .adam(beta1: 0, beta2: 1, epsilon: 1)
    }
    expect("epsilon", "expected more than 0, found 0.0") {
      $0.optimizer = .adamW(beta1: 0, beta2: 0, epsilon: 0)
    }
    expect("learningRate", "expected a number above 0, found -0.1") { $0.schedule.base = -0.1 }
    expect("warmupEpochs", "expected at most 3 epochs, found 4") { $0.schedule.warmupEpochs = 4 }
  }
}
