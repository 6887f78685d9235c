import Testing

import OctNet

/// What a study is going to take.
struct StudyEstimateTests {
  private func batches(
    _ data: DataSplit = TinyRun.data, _ change: (inout TrainingConfiguration) -> Void = { _ in }
  ) throws -> [Double] {
    var configuration = TinyRun.configuration(epochs: 4)
    change(&configuration)
    let found = try StudyEstimate(data: data).batchesOfEpoch(configuration)
    return [found.training, found.evaluation]
  }

  /// 22 training and 9 test images in batches of 5.
  @Test func testImagesEachTime() throws {
    #expect(try batches() == [5, 2])
    #expect(try batches { ($0.trainLimit, $0.testLimit) = (11, 4) } == [3, 1])
    // Epochs 3 and 4: the last one in any case.
    #expect(try batches { $0.evaluateEvery = 3 } == [5, 2 * 2 / 4.0])
  }

  /// 6 of the 22 are evaluated in two batches, and the test images once in four epochs.
  @Test func validationImagesEachTimeAndTheTestOnce() throws {
    #expect(try batches { $0.validation = 6 } == [4, 2 + 2 / 4.0])
    #expect(try batches { ($0.validation, $0.evaluateEvery) = (6, 2) } == [4, (2 * 2 + 2) / 4.0])
    var own = TinyRun.data
    own.validation = TinyImages(count: 16, seed: 3)
    #expect(try batches(own) == [5, 4 + 2 / 4.0])
    #expect(error { try batches { $0.validation = 22 } } != nil)
  }
}
