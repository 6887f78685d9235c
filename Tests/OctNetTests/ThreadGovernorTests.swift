import Testing

@testable import OctNetCore

/// How many threads a session uses, from measurements that stand for a machine.
@Suite struct ThreadGovernorTests {
  /// A call of a tenth of a second and more, on a machine that gives `processors` to the process; with more threads than
  /// that a call takes `waiting` times as long as the time there is would allow.
  private func call(
    _ governor: ThreadGovernor, processors: Double, waiting: Double = 1.8
  ) -> ThreadGovernor.Measurement {
    let threads = Double(governor.threads)
    let wall = threads <= processors ? 1 / threads : waiting / processors
    return .init(wall: wall, processor: min(threads, processors) * wall, images: 10)
  }

  private func run(
    _ governor: inout ThreadGovernor, seconds: Double, processors: Double, waiting: Double = 1.8
  ) -> [Int] {
    var counts: [Int] = []
    var time = 0.0
    while time < seconds {
      counts.append(governor.threads)
      let measured = call(governor, processors: processors, waiting: waiting)
      governor.add(measured)
      time += measured.wall
    }
    return counts
  }

  @Test func aQuietMachineGivesAllThreads() {
    var governor = ThreadGovernor(threads: 2, follows: true)
    #expect(Set(run(&governor, seconds: 200, processors: 2)) == [2])
  }

  /// Another process takes a processor for a quarter of a second, every three.
  @Test func momentsAreWaitedOut() {
    var governor = ThreadGovernor(threads: 2, follows: true)
    var time = 0.0
    while time < 300 {
      let isBusy = time.truncatingRemainder(dividingBy: 3) < 0.25
      let wall = isBusy ? 0.1 : 0.05
      governor.add(.init(wall: wall, processor: (isBusy ? 1.2 : 2) * wall, images: 10))
      #expect(governor.threads == 2, "after \(time) s")
      time += wall
    }
  }

  @Test func aBusyMachineGetsFewerAndAreLookedAtAgain() {
    var governor = ThreadGovernor(threads: 2, follows: true)
    let busy = run(&governor, seconds: 100, processors: 1.5)
    #expect(busy.filter { $0 == 1 }.count > busy.count * 3 / 4)
    #expect(busy.dropFirst(5).contains(2))
    // Within a minute after the other process has ended, all of them again, and then always.
    let after = run(&governor, seconds: 100, processors: 2)
    #expect(Set(after.suffix(after.count / 4)) == [2])
  }

  /// Where fewer are no faster, as with threads that wait asleep, trials become rare.
  @Test func trialsThatFailBecomeRare() {
    var governor = ThreadGovernor(threads: 2, follows: true)
    let counts = run(&governor, seconds: 600, processors: 1.6, waiting: 0.7)
    #expect(counts.filter { $0 == 1 }.count < counts.count / 20)
    #expect(counts.contains(1))
  }

  @Test func oneProcessorOfManyIsBusy() {
    var governor = ThreadGovernor(threads: 16, follows: true)
    let counts = run(&governor, seconds: 30, processors: 15.2, waiting: 2)
    #expect(counts.last == 15)
  }

  /// With a policy of the user's own, or one thread, nothing is measured.
  @Test func doesNotFollowWhatTheUserHasSaid() {
    for (threads, follows) in [(2, false), (1, true)] {
      var governor = ThreadGovernor(threads: threads, follows: follows)
      #expect(Set(run(&governor, seconds: 100, processors: 0.7)) == [threads])
    }
  }

  /// A session's plan for four threads serves one and three with the same bits.
  @Test func aPassTakesFewerThreadsThanItWasPlannedFor() throws {
    let network = try Network(inputShape: MapShape(height: 12, width: 12, channels: 3), seed: 3) { x in
      let first = OctConv2d(
        "c", inputChannels: 3, outputChannels: 70, kernelSize: 3, padding: 1, alphaIn: 0, alphaOut: 0.25)
      let second = OctConv2d(
        "d", inputChannels: 70, outputChannels: 70, kernelSize: 3, padding: 1, alphaIn: 0.25, alphaOut: 0)
      let y = try ReLU()(BatchNorm2d("n", channels: 70, alpha: 0.25)(first(x)))
      return try Linear("fc", inputChannels: 70, outputChannels: 5)(GlobalAvgPool()(second(y)))
    }
    let graph = network.graph
    let plan = Executor.plan(graph: graph, batch: 4, training: true, threads: 4)
    let executor = try Executor(graph: graph, memory: network.parameters.memory, plan: plan, threads: 4)
    let images: [Float] = (0..<4 * 12 * 12 * 3).map { Float(($0 * 37) % 101) / 50 - 1 }
    func pass(_ threads: Int) -> (logits: [Float], gradients: [Float]) {
      executor.threads = threads
      return images.withUnsafeBufferPointer { images in
        guard let base = images.baseAddress else { return ([], []) }
        let logits = Array(UnsafeBufferPointer(start: executor.forward(images: base, count: 4), count: 20))
        executor.outputGradient()?.update(from: logits, count: 20)
        executor.backward(images: base, count: 4)
        let parameters = network.parameters
        return (logits, Array(UnsafeBufferPointer(start: parameters.gradients, count: parameters.count)))
      }
    }
    let all = pass(4)
    #expect(all.gradients.contains { $0 != 0 })
    for threads in [1, 3, 2] {
      let fewer = pass(threads)
      #expect(fewer.logits == all.logits)
      #expect(fewer.gradients == all.gradients)
    }
  }
}
