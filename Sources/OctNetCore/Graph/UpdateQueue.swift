import CKernels
import OctNetSupport

/// Updates of parameters whose gradients are known and that nothing reads any more in this step. They wait for a pass that
/// multiplies: an optimizer waits for memory, and its work costs little beside one that does not.
///
/// A gradient stays where it is until the updates behind it have run, that is until the next of those passes.
package final class UpdateQueue {
  private let make: (ParameterID, UnsafePointer<Float>) -> oct_update?
  private let run: ([oct_update]) -> Void
  private let waits: Bool
  private var updates: [oct_update] = []

  /// - Parameters:
  ///   - waits: false runs every update at once and on its own, so that its time can be told.
  ///   - make: the update of a parameter with its gradient; nil where there is none to wait for.
  ///   - run: runs updates on all threads.
  package init(
    waits: Bool, make: @escaping (ParameterID, UnsafePointer<Float>) -> oct_update?,
    run: @escaping ([oct_update]) -> Void
  ) {
    self.waits = waits
    self.make = make
    self.run = run
  }

  func append(_ parameter: ParameterID, gradient: UnsafePointer<Float>) {
    guard let update = make(parameter, gradient) else { return }
    updates.append(update)
    if !waits { finish() }
  }

  /// Hands all that waits to a kernel, which runs it beside its own work.
  func beside(_ kernel: (UnsafePointer<oct_side_work>?) -> oct_status) -> oct_status {
    defer { updates.removeAll(keepingCapacity: true) }
    return updates.withUnsafeBufferPointer { items in
      var list = oct_updates(items: items.baseAddress, count: items.count)
      guard items.count > 0 else { return kernel(nil) }
      check(oct_updates_check(&list))
      return withUnsafePointer(to: list) { list in
        var work = oct_side_work(run: oct_run_updates_share, context: UnsafeRawPointer(list))
        return kernel(&work)
      }
    }
  }

  /// What is left after the last pass.
  func finish() {
    guard !updates.isEmpty else { return }
    run(updates)
    updates.removeAll(keepingCapacity: true)
  }
}
