import Foundation
import Testing

import OctNet
@testable import OctNetTraining

/// Which parameters have which settings, and how they are written down.
@Suite struct ParameterGroupTests {
  private func rules(
    _ configuration: OptimizerConfiguration, _ groups: [ParameterGroup]
  ) throws -> [String: UpdateSettings] {
    let network = try TinyRun.network()
    let settings = try UpdateSettings.resolve(
      network.parameters, configuration, weightDecay: 0.1, excludeNormsAndBiases: true, groups: groups)
    return Dictionary(uniqueKeysWithValues: zip(network.parameterNames, settings))
  }

  @Test func muonIsForFiltersAndForLinearLayersThatHaveIt() throws {
    let sgd = OptimizerConfiguration.sgd(momentum: 0.95, nesterov: true)
    let alone = try rules(.muon, [])
    #expect(alone["enter.conv_h2h.weight"]?.rule == .muon && alone["leave.conv_l2h.weight"]?.rule == .muon)
    for name in ["classes.weight", "classes.bias", "norm1.bn_h.weight", "norm2.bias"] {
      #expect(alone[name]?.rule == sgd, "\(name)")
    }
    // A rate of its own makes no other rule.
    #expect(try rules(.muon, [ParameterGroup("classes")])["classes.weight"]?.rule == sgd)
    let own = try rules(.adam, [ParameterGroup("classes", optimizer: .muon)])
    #expect(own["classes.weight"]?.rule == .muon && own["classes.bias"]?.rule == sgd)
    #expect(own["enter.conv_h2h.weight"]?.rule == .adam)
  }

  @Test func theFirstGroupThatHasAParameterIsItsOwn() throws {
    let found = try rules(
      .sgd,
      [
        ParameterGroup("norm1", kinds: [.norms], learningRateScale: 2),
        ParameterGroup(kinds: [.biases, .norms], learningRateScale: 3, weightDecay: 0.5, epochs: 2),
        ParameterGroup("norm2", "classes", learningRateScale: 4),
      ])
    #expect(found["norm1.bn_l.bias"] == UpdateSettings(rule: .sgd, weightDecay: 0, learningRateScale: 2))
    #expect(
      found["norm2.bias"] == UpdateSettings(rule: .sgd, weightDecay: 0.5, learningRateScale: 3, course: 1))
    #expect(found["classes.bias"]?.learningRateScale == 3)
    #expect(
      found["classes.weight"] == UpdateSettings(rule: .sgd, weightDecay: 0.1, learningRateScale: 4))
    #expect(found["enter.conv_h2h.weight"]?.learningRateScale == 1)
  }

  /// Each parameter's rule remembers what it remembers alone.
  @Test func statesOfSeveralRules() throws {
    let network = try TinyRun.network()
    let groups = [
      ParameterGroup(kinds: [.filters], optimizer: .muon), ParameterGroup("classes", optimizer: .adam),
    ]
    let optimizer = try Optimizer(
      parameters: network.parameters, configuration: .sgd(momentum: 0, nesterov: false), groups: groups,
      threads: 1)
    let names = optimizer.stateDictionary(of: network).map(\.name)
    #expect(
      names.filter { $0.contains("classes") } == [
        "first_moment.classes.weight", "first_moment.classes.bias", "second_moment.classes.weight",
        "second_moment.classes.bias",
      ])
    #expect(names.contains("velocity.enter.conv_h2h.weight") && !names.contains { $0.contains("norm1") })
  }

  @Test func rulesOfAllParametersAreThoseOfOneEach() throws {
    // Where a group has the run's own rule, nothing changes.
    func trained(_ groups: [ParameterGroup]?) throws -> [String: [UInt64]] {
      var configuration = TinyRun.configuration(epochs: 1)
      configuration.parameterGroups = groups
      let network = try TinyRun.network()
      try Trainer(network: network, configuration: configuration, data: TinyRun.data).run()
      return network.bits
    }
    let plain = try trained(nil)
    #expect(try trained([ParameterGroup(kinds: [.filters, .norms], optimizer: .sgd)]) == plain)
    #expect(try trained([ParameterGroup(kinds: [.filters], optimizer: .adam)]) != plain)
  }

  @Test func settingsAsJSON() throws {
    let decoder = JSONDecoder()
    func group(_ text: String) throws -> ParameterGroup {
      try decoder.decode(ParameterGroup.self, from: Data(text.utf8))
    }
    // As earlier versions wrote it.
    #expect(
      try group(#"{"modules": ["fc"], "learningRateScale": 10, "weightDecay": 0}"#)
        == ParameterGroup("fc", learningRateScale: 10, weightDecay: 0))
    let muon = ParameterGroup(
      kinds: [.filters], learningRateScale: 0.24,
      optimizer: .muon(momentum: 0.6, nesterov: true, iterations: 3, normalizesWeights: true), epochs: 2.5)
    #expect(
      try group(
        """
        {"kinds": ["filters"], "learningRateScale": 0.24, "epochs": 2.5, "optimizer":
        {"name": "muon", "momentum": 0.6, "iterations": 3, "normalizesWeights": true}}
        """) == muon)
    let text = try JSONEncoder().encode(muon)
    #expect(try decoder.decode(ParameterGroup.self, from: text) == muon)
    #expect(throws: DecodingError.self) { try group("{}") }
    for bad in [
      ParameterGroup(), ParameterGroup(kinds: []), ParameterGroup("fc", epochs: 0),
      ParameterGroup("fc", epochs: .nan),
      ParameterGroup(
        "fc", optimizer: .muon(momentum: 0.9, nesterov: true, iterations: 0, normalizesWeights: false)),
    ] {
      #expect(throws: OctNetError.self) { try bad.validate() }
    }
  }

  @Test func theRecipe() throws {
    let recipe = try #require(
      TrainingConfiguration.recipe(named: "speedrun94", data: "cifar10:DIR", threads: 1))
    try recipe.validate()
    #expect(
      TrainingConfiguration.recipeNames.allSatisfy {
        TrainingConfiguration.recipe(named: $0, data: "", threads: 1) != nil
      })
    let settings = try UpdateSettings.resolve(
      ModelConfiguration(name: "airbench94").makeNetwork().parameters, recipe.optimizer,
      weightDecay: recipe.weightDecay, excludeNormsAndBiases: false, groups: recipe.parameterGroups ?? [])
    let names = try ModelConfiguration(name: "airbench94").makeGraph().parameters.map(\.name)
    for (name, settings) in zip(names, settings) {
      // A step shrinks every weight but filters by 0.004 · (1 − share done).
      if name != "whiten.weight", name.hasSuffix("weight"), name.hasPrefix("body"),
        settings.rule.isForMatrices
      {
        #expect(settings.weightDecay == 0 && settings.learningRateScale == 0.24)
      } else if !settings.rule.isForMatrices {
        #expect(abs(Double(settings.weightDecay) * settings.learningRateScale - 0.004) < 1e-7, "\(name)")
      }
      #expect((settings.course != nil) == (name == "whiten.bias"))
    }
  }
}
