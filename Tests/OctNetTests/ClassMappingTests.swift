import Testing

import OctNet
@testable import OctNetData

struct ClassMappingTests {
  private func mapping(
    _ data: [String], _ network: [String], _ fingerprints: (String?, String?) = (nil, nil),
    byNumber: Bool = false
  ) throws -> ClassMapping {
    try ClassMapping(
      of: ClassLabels(names: data, fingerprint: fingerprints.0),
      to: ClassLabels(names: network, fingerprint: fingerprints.1), owner: "the checkpoint",
      byNumber: byNumber)
  }

  private func problem(_ data: [String], _ network: [String], byNumber: Bool = false) -> String? {
    let error = error { try mapping(data, network, byNumber: byNumber) }
    guard case .configuration("class names", let problem) = error else { return nil }
    return problem
  }

  @Test func sameNames() throws {
    let same = try mapping(["cat", "dog"], ["cat", "dog"])
    #expect(same.isIdentity && same.isPermutation && same.note == nil && same.labels == [0, 1])
  }

  @Test func anotherOrderAndSubsetsAreMappedByName() throws {
    let order = try mapping(["dog", "cat", "eel"], ["cat", "dog", "eel"])
    #expect(order.labels == [1, 0, 2] && order.isPermutation && !order.isIdentity)
    #expect(order.classNames == ["cat", "dog", "eel"])
    #expect(order.note == "classes are in another order than in the checkpoint: mapped by name")
    let subset = try mapping(["eel", "cat"], ["cat", "dog", "eel"])
    #expect(subset.labels == [2, 0] && !subset.isPermutation)
    #expect(subset.note == "2 of the 3 classes of the checkpoint, mapped by name")
    let beginning = try mapping(["cat", "dog"], ["cat", "dog", "eel"])
    #expect(!beginning.isIdentity && beginning.note != nil)
  }

  @Test func otherNamesAreRefusedByTheFirst() {
    #expect(
      problem(["0_dog", "1_cat"], ["cat", "dog"])
        == "class 0 is \"0_dog\" in the data, \"cat\" in the checkpoint, which has no class of that name")
    #expect(
      problem(["cat", "dog", "eel"], ["cat", "dog"])
        == "class 2 is \"eel\" in the data, and the checkpoint, of 2 classes, has none of that name")
    #expect(problem(["cat", "Dog"], ["cat", "dog"])?.hasPrefix("class 1 is \"Dog\"") == true)
    // Data and checkpoints with real names against numbers: the data set is another one.
    #expect(problem(["0", "1"], ["cat", "dog"])?.hasPrefix("class 0 is \"0\" in the data, \"cat\"") == true)
    #expect(problem(["cat", "cat"], ["cat", "dog"])?.contains("two classes of one name") == true)
    #expect(problem(["dog", "cat"], ["cat", "cat"])?.contains("two classes \"cat\"") == true)
  }

  /// "é" in one code point and in two are names of two folders, though Swift calls the strings equal.
  @Test func namesCompareByCodePoints() {
    #expect("\u{e9}" == "e\u{301}")
    #expect(problem(["\u{e9}", "x"], ["e\u{301}", "x"])?.hasPrefix("class 0 is") == true)
    #expect(throws: Never.self) { try mapping(["e\u{301}", "\u{e9}"], ["\u{e9}", "e\u{301}"]) }
    #expect((try? mapping(["e\u{301}", "\u{e9}"], ["\u{e9}", "e\u{301}"]))?.labels == [1, 0])
  }

  @Test func byNumberNeedsAsManyClasses() throws {
    let forced = try mapping(["0_dog", "1_cat"], ["cat", "dog"], byNumber: true)
    #expect(forced.isIdentity && forced.classNames == ["cat", "dog"] && forced.note == nil)
    #expect(problem(["a"], ["b", "c"], byNumber: true) == "found 1 class, the checkpoint has 2")
  }

  @Test func whatNothingCanTellIsSaid() throws {
    let foreign = try mapping(["cat", "dog"], [])
    #expect(foreign.isIdentity && foreign.classNames == ["cat", "dog"])
    #expect(foreign.note == "the checkpoint has no class names: its classes are taken by number")
    // Numbers: the same labels, other ones, and a checkpoint of an earlier version.
    #expect(try mapping(["0", "1"], ["0", "1"], ("a", "a")).note == nil)
    #expect(try mapping(["0", "1"], ["0", "1"], ("a", "b")).note?.contains("labels are other ones") == true)
    #expect(try mapping(["0", "1"], ["0", "1"], ("a", nil)).note?.contains("nothing says") == true)
    // Fashion-MNIST had numbers for names.
    #expect(try mapping(["shirt", "bag"], ["0", "1"], ("a", nil)).note?.contains("only numbers") == true)
    #expect(error { try mapping(["shirt", "bag"], ["0", "1"], ("a", "b")) } != nil)
  }

  private func images(_ labels: [Int], _ names: [String]) -> ImageSet {
    ImageSet(
      name: "images", height: 1, width: 1, channels: 1, classNames: names,
      pixels: labels.indices.map { UInt8($0) }, labels: labels)
  }

  private func contents(_ dataset: any Dataset) -> [[Int]] {
    (0..<dataset.count).map { index in
      [Int(dataset.pixels(at: index)[0]), dataset.label(at: index)]
    }
  }

  @Test func mappedImagesHaveTheNetworksNumbers() throws {
    let sorted = images([0, 0, 1, 2], ["b", "c", "a"])
    let mapping = try mapping(["b", "c", "a"], ["a", "b", "c"])
    let mapped = sorted.mapped(by: mapping)
    #expect(mapped.classNames == ["a", "b", "c"] && mapped.count == 4 && mapped.name == "images")
    #expect(contents(mapped) == [[0, 1], [1, 1], [2, 2], [3, 0]])
    // As the folders were listed when "a" came first.
    let restored = sorted.mapped(by: mapping, restoringOrder: true)
    #expect(contents(restored) == [[3, 0], [0, 1], [1, 1], [2, 2]])
    // Files with an order of their own keep it.
    let mixed = images([1, 0, 2], ["b", "c", "a"]).mapped(by: mapping, restoringOrder: true)
    #expect(contents(mixed) == [[0, 2], [1, 1], [2, 0]])
  }

  @Test func fingerprints() {
    // Fowler, Noll, Vo's own test vectors.
    #expect(FNV1a.hash([]) == 0xcbf2_9ce4_8422_2325)
    #expect(FNV1a.hash(Array("foobar".utf8)) == 0x8594_4171_f739_67e8)
    let names = ["0", "1", "2"]
    let one = ClassLabels(images([0, 1, 2], names))
    #expect(one.areNumbers && one == ClassLabels(images([0, 1, 2], names)))
    #expect(one.fingerprint != ClassLabels(images([0, 2, 1], names)).fingerprint)
    #expect(!ClassLabels(names: ["1", "2"]).areNumbers && !ClassLabels(names: []).areNumbers)
  }

  @Test func idxClassesHaveNamesBesideThem() throws {
    let directory = try TemporaryDirectory()
    try IDXTests().make(in: directory)
    let load = { try DataSource.idx(directory: directory.path).load() }
    #expect(try load().train.classNames == ["0", "1", "2"])
    let path = try directory.write(Array("cat\nred dog\r\neel\nfox\n".utf8), as: IDXClassNames.file)
    let split = try load()
    #expect(split.train.classNames == ["cat", "red dog", "eel", "fox"])
    #expect(split.test.classNames == split.train.classNames)
    _ = try directory.write(Array("cat\ndog\n".utf8), as: IDXClassNames.file)
    #expect(
      error { try load() }
        == .file(path: path, "found 2 class names, expected 3: one on each line, the first for label 0"))
    _ = try directory.write([0xff, 10, 10], as: IDXClassNames.file)
    #expect(error { try load() } == .file(path: path, "expected text in UTF-8"))
  }

  @Test func heads() throws {
    func network(_ seed: UInt64) throws -> Network {
      try Network(inputShape: MapShape(height: 1, width: 1, channels: 2), seed: seed) { image in
        try Linear("fc", inputChannels: 2, outputChannels: 3)(GlobalAvgPool()(image))
      }
    }
    let trained = try network(1)
    func load(_ data: [String], _ file: [String], byNumber: Bool = false) throws -> (LoadReport, [Float]) {
      let checkpoint = Checkpoint(model: nil, classNames: file, state: trained.stateDictionary())
      let fresh = try network(2)
      let report = try checkpoint.loadPretrained(
        into: fresh, for: ClassLabels(names: data), classesByNumber: byNumber)
      return (report, weights(fresh))
    }
    func weights(_ network: Network) -> [Float] {
      network.stateDictionary().flatMap { _, value -> [Float] in
        guard case .tensor(let tensor) = value else { return [] }
        return tensor.values
      }
    }
    let (old, random) = (weights(trained), weights(try network(2)))
    #expect(old.count == 9 && old != random)
    let abc = ["a", "b", "c"]

    let same = try load(abc, abc)
    #expect(same.1 == old && same.0.lines == ["classifier kept: same classes"])
    let order = try load(["c", "a", "b"], abc)
    #expect(order.0.lines == ["classifier kept: same classes in another order, mapped by name"])
    #expect(order.1 == Array(old[4..<6] + old[0..<4] + old[8..<9] + old[6..<8]))
    let other = try load(["a", "b", "d"], abc)
    #expect(other.1 == random && other.0.keptKeys == ["fc.weight", "fc.bias"])
    #expect(
      other.0.lines == [
        "for other classes (class 2 is \"d\" in the data, \"c\" in the file, which has no class of that name); "
          + "left random: fc.weight, fc.bias"
      ])
    let forced = try load(["a", "b", "d"], abc, byNumber: true)
    #expect(forced.1 == old && forced.0.lines == ["classifier kept: its classes are taken by number"])
    // More names than rows.
    let long = try load(["d", "a", "b"], ["a", "b", "c", "d"])
    #expect(long.1 == random && long.0.keptKeys == ["fc.weight", "fc.bias"])
    let foreign = try load(abc, [])
    #expect(
      foreign.1 == old
        && foreign.0.lines == [
          "classifier kept: the file has no class names: its classes are taken by number"
        ])
  }
}
