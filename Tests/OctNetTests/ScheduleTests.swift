import Foundation
import Testing

import OctNet
@testable import OctNetTraining

@Suite struct ScheduleTests {
  private func rates(_ schedule: LearningRateSchedule, steps: [Int]) -> [Double] {
    steps.map { schedule.rate(step: $0, stepsPerEpoch: 10, epochs: 6) }
  }

  private func expectClose(
    _ found: [Double], _ expected: [Double], sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(found.count == expected.count, sourceLocation: sourceLocation)
    for (a, b) in zip(found, expected) { #expect(abs(a - b) <= 1e-12, sourceLocation: sourceLocation) }
  }

  @Test func constant() {
    expectClose(rates(.init(base: 0.1), steps: [0, 9, 10, 59, 1000]), [0.1, 0.1, 0.1, 0.1, 0.1])
  }

  @Test func stepsWithTheEpoch() {
    let schedule = LearningRateSchedule(base: 0.8, shape: .step(size: 2, gamma: 0.5))
    expectClose(rates(schedule, steps: [0, 19, 20, 39, 40, 59]), [0.8, 0.8, 0.4, 0.4, 0.2, 0.2])
  }

  @Test func cosineFallsToZero() {
    let schedule = LearningRateSchedule(base: 2, shape: .cosine)
    // 60 steps: at a sixth, a third, a half, two thirds of the way.
    expectClose(
      rates(schedule, steps: [0, 10, 20, 30, 40, 60, 61]), [2, 1 + cos(Double.pi / 6), 1.5, 1, 0.5, 0, 0])
  }

  @Test func linesFallToZero() {
    let schedule = LearningRateSchedule(base: 2, shape: .linear)
    expectClose(rates(schedule, steps: [0, 15, 30, 59, 60, 61]), [2, 1.5, 1, 1 / 30, 0, 0])
    let late = LearningRateSchedule(base: 2, shape: .linear, warmupEpochs: 2)
    expectClose(rates(late, steps: [0, 19, 20, 40, 60]), [0.1, 2, 2, 1, 0])
  }

  @Test func warmupRisesLinearlyAndShiftsTheCosine() {
    let schedule = LearningRateSchedule(base: 2, shape: .cosine, warmupEpochs: 2)
    expectClose(rates(schedule, steps: [0, 4, 19, 20, 40, 60]), [0.1, 0.5, 2, 2, 1, 0])
    let steps = LearningRateSchedule(base: 0.8, shape: .step(size: 2, gamma: 0.5), warmupEpochs: 1)
    expectClose(rates(steps, steps: [0, 9, 10, 19, 20]), [0.08, 0.8, 0.8, 0.8, 0.4])
    let only = LearningRateSchedule(base: 1, shape: .cosine, warmupEpochs: 6)
    expectClose(rates(only, steps: [59, 60]), [1, 1])
  }

  @Test func jsonRoundTrip() throws {
    for shape: LearningRateSchedule.Shape in [
      .constant, .cosine, .linear, .step(size: 3, gamma: 0.2),
    ] {
      let schedule = LearningRateSchedule(base: 0.3, shape: shape, warmupEpochs: 1)
      let data = try JSONEncoder().encode(schedule)
      #expect(try JSONDecoder().decode(LearningRateSchedule.self, from: data) == schedule)
    }
    #expect(throws: DecodingError.self) {
      try JSONDecoder().decode(LearningRateSchedule.Shape.self, from: Data(#"{"name":"quadratic"}"#.utf8))
    }
  }

  @Test func refusesWhatMakesNoSense() {
    func problem(_ schedule: LearningRateSchedule) -> OctNetError? {
      do throws(OctNetError) { try schedule.validate() } catch { return error }
      return nil
    }
    #expect(problem(.init(base: 0.1)) == nil)
    #expect(
      problem(.init(base: 0)) == .configuration(key: "learningRate", "expected a number above 0, found 0.0"))
    #expect(
      problem(.init(base: .nan))
        == .configuration(key: "learningRate", "expected a number above 0, found nan"))
    #expect(
      problem(.init(base: 1, warmupEpochs: -1))
        == .configuration(key: "warmupEpochs", "expected 0 or more, found -1"))
    #expect(
      problem(.init(base: 1, shape: .step(size: 0, gamma: 1)))
        == .configuration(key: "stepSize", "expected 1 epoch or more, found 0"))
    #expect(
      problem(.init(base: 1, shape: .step(size: 1, gamma: 2)))
        == .configuration(key: "gamma", "expected a number above 0 and up to 1, found 2.0"))
  }
}
