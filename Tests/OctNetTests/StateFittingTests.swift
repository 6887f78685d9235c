import Testing

import OctNet

/// State dictionaries that are not exactly the network's own, and what is done to them.
@Suite struct StateFittingTests {
  let directory: TemporaryDirectory
  init() throws { directory = try TemporaryDirectory() }

  private let model = ModelConfiguration(
    name: "resnet20", alpha: 0.25, classes: 4, inputHeight: 6, inputWidth: 6)

  private func trained() throws -> (state: StateDictionary, bits: [String: [UInt64]]) {
    let network = try model.makeNetwork(seed: 3)
    return (network.stateDictionary(), bits(network))
  }

  /// Weights and running statistics, without the counters.
  private func bits(_ network: Network) -> [String: [UInt64]] {
    network.bits.filter { !isCounter($0.key) }
  }

  private func isCounter(_ name: String) -> Bool { name.hasSuffix("num_batches_tracked") }

  // MARK: Counters

  @Test func countersMayBeMissing() throws {
    let (state, bits) = try trained()
    let counters = state.count { isCounter($0.name) }
    #expect(counters > 0)
    let some = state.enumerated().filter { !isCounter($0.element.name) || $0.offset % 2 == 0 }.map(\.element)
    let none = state.filter { !isCounter($0.name) }
    for (given, missing) in [(none, counters), (some, state.count - some.count)] {
      let network = try model.makeNetwork(seed: 9)
      network.counters = network.counters.map { _ in 7 }
      #expect(try network.loadUnwrapped(given).missingCounters == missing)
      #expect(self.bits(network) == bits)
      #expect(network.counters.allSatisfy { $0 == 0 })
      try network.load(given)
    }
  }

  /// As many programs write them: 5 batches in every kind of number, as a scalar or a vector of one.
  @Test func countersOfAnyNumbers() throws {
    let (state, bits) = try trained()
    func bytes<Value>(_ value: Value) -> [UInt8] { withUnsafeBytes(of: value) { Array($0) } }
    let fives: [(SafetensorsFile.DType, [UInt8])] = [
      (.i8, [5]), (.u8, [5]), (.i16, bytes(Int16(5))), (.u16, bytes(UInt16(5))), (.i32, bytes(Int32(5))),
      (.u32, bytes(UInt32(5))), (.i64, bytes(Int64(5))), (.u64, bytes(UInt64(5))), (.f32, bytes(Float(5.5))),
      (.f64, bytes(5.9)), (.f16, bytes(UInt16(0x4500))), (.bf16, bytes(UInt16(0x40a0))),
    ]
    for (dtype, bytes) in fives {
      for shape in [[], [1]] {
        let entries = state.entries().map { entry in
          isCounter(entry.name)
            ? SafetensorsFile.Entry(name: entry.name, dtype: dtype, shape: shape, bytes: bytes) : entry
        }
        try SafetensorsFile(entries: entries).write(to: directory("c"))
        let network = try model.makeNetwork(seed: 9)
        #expect(try Checkpoint(path: directory("c")).load(into: network) == LoadReport(), "\(dtype) \(shape)")
        #expect(self.bits(network) == bits && network.counters.allSatisfy { $0 == 5 }, "\(dtype) \(shape)")
      }
    }
  }

  /// Half precision has no number above 65,504; 2⁶⁴ − 1 has no place in an Int64.
  @Test func countersThatAreNoNumbersBeginAtZero() throws {
    let (state, bits) = try trained()
    let infinite = withUnsafeBytes(of: UInt16(0x7c00)) { Array($0) }
    let huge = withUnsafeBytes(of: UInt64.max) { Array($0) }
    for (dtype, bytes) in [(SafetensorsFile.DType.f16, infinite), (.u64, huge)] {
      let entries = state.entries().map { entry in
        isCounter(entry.name)
          ? SafetensorsFile.Entry(name: entry.name, dtype: dtype, shape: [], bytes: bytes) : entry
      }
      try SafetensorsFile(entries: entries).write(to: directory("c"))
      let network = try model.makeNetwork(seed: 9)
      let report = try Checkpoint(path: directory("c")).load(into: network)
      #expect(report.missingCounters == network.counters.count)
      #expect(self.bits(network) == bits && network.counters.allSatisfy { $0 == 0 })
    }
  }

  @Test func aCounterWithAVectorsShapeIsRefused() throws {
    var (state, _) = try trained()
    let place = try #require(state.firstIndex { isCounter($0.name) })
    state[place].value = .tensor(Tensor(zeros: [2]))
    let name = state[place].name
    #expect(
      error { try model.makeNetwork().load(state) }
        == .stateDictionary(StateMismatch(unfit: ["\(name) [2] instead of []"])))
  }

  // MARK: Prefixes

  @Test(arguments: ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.", "model.", "a.b.c.d."])
  func aPrefixOfAllKeysIsLeftOut(prefix: String) throws {
    let (state, bits) = try trained()
    let wrapped = state.map { (name: prefix + $0.name, value: $0.value) }
    let network = try model.makeNetwork(seed: 9)
    let report = try network.loadUnwrapped(wrapped)
    #expect(report.strippedPrefix == prefix && self.bits(network) == bits)
    #expect(report.lines == ["all keys begin with \"\(prefix)\": left out"])
    #expect(try network.loadPretrained(wrapped.filter { !isCounter($0.name) }).strippedPrefix == prefix)
    // The library's strict loading stays strict.
    #expect(throws: OctNetError.self) { try network.load(wrapped) }
  }

  /// An averaged model of PyTorch's, and a backbone beside another head.
  @Test func theNetworkIsTakenFromBelowAPrefix() throws {
    let (state, bits) = try trained()
    let one = StateValue.tensor(Tensor(zeros: [1]))
    let network = try model.makeNetwork(seed: 9)
    let averaged = [("n_averaged", one)] + state.map { (name: "module." + $0.name, value: $0.value) }
    let report = try network.loadUnwrapped(averaged)
    #expect(report.strippedPrefix == "module." && report.outsideKeys == ["n_averaged"])
    #expect(report.lines == ["taken from below \"module.\"; 1 key beside these left out: n_averaged"])
    #expect(self.bits(network) == bits)

    let body = state.filter { !$0.name.hasPrefix("fc.") }.map {
      (name: "backbone." + $0.name, value: $0.value)
    }
    let detector = body + [("head.fc.weight", one)]
    let pretrained = try network.loadPretrained(detector)
    #expect(pretrained.strippedPrefix == "backbone." && pretrained.head == .absent)
    #expect(pretrained.outsideKeys == ["head.fc.weight"] && pretrained.leftKeys == [])
    #expect(throws: OctNetError.self) { try network.loadUnwrapped(detector) }
    // Of two that fit, neither is taken; nor is one that lacks a layer or has it in another shape.
    let two = body + body.map { (name: "teacher." + $0.name, value: $0.value) }
    #expect(throws: OctNetError.self) { try network.loadPretrained(two) }
    #expect(throws: OctNetError.self) {
      try network.loadPretrained(detector.filter { $0.0 != "backbone.bn1.bias" })
    }
    let misshaped = detector.map { $0.0 == "backbone.bn1.bias" ? ($0.0, one) : $0 }
    #expect(throws: OctNetError.self) { try network.loadPretrained(misshaped) }
  }

  /// A network whose own layers all have a common prefix keeps it.
  @Test func theNetworksOwnPrefixStays() throws {
    let network = try Network(inputShape: MapShape(height: 4, width: 4, channels: 1), seed: 1) { image in
      let convolution = OctConv2d(
        "module.conv", inputChannels: 1, outputChannels: 4, kernelSize: 1, alphaIn: 0, alphaOut: 0)
      return try Linear("module.head", inputChannels: 4, outputChannels: 2)(
        GlobalAvgPool()(convolution(image)))
    }
    let state = network.stateDictionary()
    #expect(state.allSatisfy { $0.name.hasPrefix("module.") })
    #expect(try network.loadUnwrapped(state) == LoadReport())
    let wrapped = state.map { (name: "module." + $0.name, value: $0.value) }
    #expect(try network.loadUnwrapped(wrapped).strippedPrefix == "module.")
  }

  // MARK: The classifier

  @Test func aMissingClassifierStaysRandom() throws {
    let (state, _) = try trained()
    let network = try model.makeNetwork(seed: 9)
    let fresh = network.stateDictionary()
    let others: StateDictionary = [
      ("head.0.weight", .tensor(Tensor(zeros: [3, 64]))), ("head.0.bias", .tensor(Tensor(zeros: [3]))),
    ]
    let body = state.filter { !$0.name.hasPrefix("fc.") }
    for (given, left) in [(body, []), (body + others, ["head.0.weight", "head.0.bias"])] {
      let report = try network.loadPretrained(given)
      #expect(
        report.head == .absent && report.keptKeys == ["fc.weight", "fc.bias"] && report.leftKeys == left)
      for (index, (name, value)) in network.stateDictionary().enumerated() {
        #expect(value == (name.hasPrefix("fc.") ? fresh : state)[index].value, "\(name)")
      }
    }
    // Who only evaluates needs it.
    #expect(
      error { try network.loadUnwrapped(body) }
        == .stateDictionary(
          StateMismatch(cause: .noClassifier, missing: ["fc.weight [4, 64]", "fc.bias [4]"])))
    // Layers inside the network's own modules are no head.
    let deeper = body + [("layer3.3.conv1.weight", .tensor(Tensor(zeros: [1])))]
    #expect(throws: OctNetError.self) { try network.loadPretrained(deeper) }
    // Half a classifier is none that can be used.
    let half = state.filter { $0.name != "fc.bias" }
    #expect(throws: OctNetError.self) { try network.loadPretrained(half) }
  }

  // MARK: The stem

  @Test func theStemOfColourImagesIsSummedForGrayOnes() throws {
    let (state, _) = try trained()
    var gray = model
    gray.inputChannels = 1
    let network = try gray.makeNetwork(seed: 9)
    #expect(try network.loadPretrained(state).summedStem == "conv1.weight")
    let loaded = network.stateDictionary()
    guard case .tensor(let colour) = state[0].value, case .tensor(let sum) = loaded[0].value else {
      Issue.record("the first key is no weight")
      return
    }
    #expect(state[0].name == "conv1.weight" && colour.shape == [16, 3, 3, 3] && sum.shape == [16, 1, 3, 3])
    for output in 0..<16 {
      for tap in 0..<9 {
        let parts = (0..<3).map { colour.values[(output * 3 + $0) * 9 + tap] }
        #expect(sum.values[output * 9 + tap] == parts[0] + parts[1] + parts[2])
      }
    }
    for (given, found) in zip(state, loaded).dropFirst() {
      #expect(given.value == found.value, "\(given.name)")
    }
    // A checkpoint that is evaluated is as it is; nothing makes three channels of one.
    #expect(throws: OctNetError.self) { try network.loadUnwrapped(state) }
    let colourful = try model.makeNetwork(seed: 9)
    #expect(throws: OctNetError.self) { try colourful.loadPretrained(loaded) }
  }

  @Test func everyThingDoneHasALine() {
    var report = LoadReport()
    #expect(report.lines == [])
    report.strippedPrefix = "module."
    report.missingCounters = 3
    report.summedStem = "conv1.weight"
    report.head = .absent
    report.keptKeys = ["fc.weight", "fc.bias"]
    report.leftKeys = ["a", "b", "c", "d"]
    #expect(
      report.lines == [
        "all keys begin with \"module.\": left out",
        "without 3 of the counters num_batches_tracked: they begin at 0",
        "for RGB images: summed the three input channels of conv1.weight",
        "has no classifier; left random: fc.weight, fc.bias", "4 keys of another head left out: a, b, c, …",
      ])
    report = LoadReport()
    report.head = .otherClasses(1000)
    report.keptKeys = ["fc.weight", "fc.bias"]
    #expect(report.lines == ["for 1000 classes; left random: fc.weight, fc.bias"])
  }
}
